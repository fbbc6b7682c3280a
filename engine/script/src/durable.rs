//! The durable functions, as scripts call them.

use crate::{
    convert,
    engine::CALL_WORKFLOW,
    session::{Session, between, thrown},
};
use onward_core::{Value, ports::DurableCall};
use rhai::{Array, Dynamic, EvalAltResult, FLOAT, FnPtr, FuncRegistration, INT, ImmutableString, Map, Module, NativeCallContext, Shared};
use std::sync::LazyLock;

type Evaluated = Result<Dynamic, Box<EvalAltResult>>;
type Text = ImmutableString;

/// The durable functions by the names that scripts call.
pub(crate) const DURABLE: [&str; 14] =
    ["step", "sleep", "sleep_until", "wait_for", "split", "parallel", "call", "start", "emit", "ask", "now", "random", "log", "continue_as"];

/// Letters of an id at the most.
const ID_LETTERS: usize = 100;
/// Branches of one `parallel` at the most.
const BRANCHES: usize = 1_000;

/// The module of durable functions; each finds its turn in the evaluation's tag.
pub(crate) static MODULE: LazyLock<Shared<Module>> = LazyLock::new(|| {
    let mut module = Module::new();
    let m = &mut module;

    // step([id,] node [, input])
    add(m, "step", |context: NativeCallContext, node: Text| step(&context, None, &node, &Dynamic::from_map(Map::new())));
    add(m, "step", |context: NativeCallContext, node: Text, input: Map| step(&context, None, &node, &Dynamic::from_map(input)));
    add(m, "step", |context: NativeCallContext, id: Text, node: Text| step(&context, Some(&id), &node, &Dynamic::from_map(Map::new())));
    add(m, "step", |context: NativeCallContext, id: Text, node: Text, input: Map| step(&context, Some(&id), &node, &Dynamic::from_map(input)));

    // sleep(duration), sleep_until(time)
    add(m, "sleep", |context: NativeCallContext, length: Text| session(&context)?.call(None, "sleep", &DurableCall::Sleep { length: length.to_string() }));
    add(m, "sleep", |_: NativeCallContext, number: INT| -> Evaluated { thrown(&format!("sleep takes a duration such as \"{number}s\" or \"2h 30m\"")) });
    add(m, "sleep", |_: NativeCallContext, number: FLOAT| -> Evaluated { thrown(&format!("sleep takes a duration such as \"{number}s\" or \"2h 30m\"")) });
    add(m, "sleep_until", |context: NativeCallContext, until: Text| {
        session(&context)?.call(None, "sleep_until", &DurableCall::SleepUntil { until: Value::String(until.to_string()) })
    });

    // wait_for([id,] event, match [, timeout])
    add(m, "wait_for", |context: NativeCallContext, event: Text, matching: Map| wait_for(&context, None, &event, &Dynamic::from_map(matching), None));
    add(m, "wait_for", |context: NativeCallContext, event: Text, matching: Text| wait_for(&context, None, &event, &matching.into(), None));
    add(m, "wait_for", |context: NativeCallContext, event: Text, matching: Map, timeout: Text| {
        wait_for(&context, None, &event, &Dynamic::from_map(matching), Some(&timeout))
    });
    add(m, "wait_for", |context: NativeCallContext, event: Text, matching: Text, timeout: Text| {
        wait_for(&context, None, &event, &matching.into(), Some(&timeout))
    });
    add(m, "wait_for", |context: NativeCallContext, id: Text, event: Text, matching: Map, timeout: Text| {
        wait_for(&context, Some(&id), &event, &Dynamic::from_map(matching), Some(&timeout))
    });
    add(m, "wait_for", |context: NativeCallContext, id: Text, event: Text, matching: Text, timeout: Text| {
        wait_for(&context, Some(&id), &event, &matching.into(), Some(&timeout))
    });

    // split(id, #{ variant: weight })
    add(m, "split", |context: NativeCallContext, id: Text, variants: Map| split(&context, &id, &variants));

    // call(workflow [, input]), start(workflow [, input])
    add(m, CALL_WORKFLOW, |context: NativeCallContext, workflow: Text| call_workflow(&context, &workflow, Map::new()));
    add(m, CALL_WORKFLOW, |context: NativeCallContext, workflow: Text, input: Map| call_workflow(&context, &workflow, input));
    add(m, "start", |context: NativeCallContext, workflow: Text| start(&context, &workflow, Map::new()));
    add(m, "start", |context: NativeCallContext, workflow: Text, input: Map| start(&context, &workflow, input));

    // emit(type [, data])
    add(m, "emit", |context: NativeCallContext, event: Text| emit(&context, &event, Map::new()));
    add(m, "emit", |context: NativeCallContext, event: Text, data: Map| emit(&context, &event, data));

    // ask([id,] question)
    add(m, "ask", |context: NativeCallContext, question: Map| ask(&context, None, question));
    add(m, "ask", |context: NativeCallContext, id: Text, question: Map| ask(&context, Some(&id), question));

    // now(), random(), random(low, high), log(message), continue_as(input)
    add(m, "now", |context: NativeCallContext| Ok(session(&context)?.now().to_string().into()));
    add(m, "random", |context: NativeCallContext| Ok(Dynamic::from_float(session(&context)?.random())));
    add(m, "random", |context: NativeCallContext, low: INT, high: INT| {
        let number = between(session(&context)?.random(), low, high);
        number.map_or_else(
            || thrown(&format!("random({low}, {high}) has no number to choose: the first must not be larger")),
            |number| Ok(Dynamic::from_int(number)),
        )
    });
    add(m, "log", |context: NativeCallContext, message: Dynamic| {
        let message = message.to_string();
        session(&context)?.call(None, "log", &DurableCall::Log { message })
    });
    add(m, "continue_as", |context: NativeCallContext, input: Map| session(&context)?.continue_as(json(&Dynamic::from_map(input), "the input")?));

    // parallel([|| …, …]), parallel(#{ name: || …, … })
    add(m, "parallel", |context: NativeCallContext, branches: Array| {
        let named = branches.into_iter().enumerate().map(|(index, branch)| (index.to_string(), branch)).collect();
        let outputs = parallel(&context, named)?;
        Ok(Dynamic::from_array(outputs.into_iter().map(|(_, output)| output).collect()))
    });
    add(m, "parallel", |context: NativeCallContext, branches: Map| {
        let outputs = parallel(&context, branches.into_iter().map(|(name, branch)| (name.to_string(), branch)).collect())?;
        Ok(Dynamic::from_map(outputs.into_iter().map(|(name, output)| (name.into(), output)).collect()))
    });
    module.build_index();
    module.into()
});

/// Registers a function that may differ from turn to turn and is never taken for a constant.
fn add<A: 'static, const N: usize, const X: bool, F>(module: &mut Module, name: &str, function: F)
where
    F: rhai::RhaiNativeFunc<A, N, X, Dynamic, true> + Send + Sync + 'static,
{
    FuncRegistration::new(name).in_global_namespace().with_volatility(true).set_into_module(module, function);
}

fn session(context: &NativeCallContext) -> Result<Session, Box<EvalAltResult>> {
    let Some(session) = context.tag().and_then(|tag| tag.clone().try_cast::<Session>()) else {
        return thrown("durable functions exist only in scripts that are a whole workflow");
    };
    session.reached(context.call_position());
    Ok(session)
}

fn json(value: &Dynamic, what: &str) -> Result<Value, Box<EvalAltResult>> {
    convert::to_json(value).or_else(|why| thrown(&format!("{what} cannot be kept: {why}")))
}

/// An id that a script gives: it becomes part of the history.
fn checked(id: &str) -> Result<&str, Box<EvalAltResult>> {
    named("id", id)
}

/// A name that becomes part of a call's key.
fn named<'n>(what: &str, name: &'n str) -> Result<&'n str, Box<EvalAltResult>> {
    let good = !name.is_empty() && name.len() <= ID_LETTERS && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let shown = || name.chars().take(ID_LETTERS).collect::<String>();
    if good { Ok(name) } else { thrown(&format!("the {what} \"{}\" must be 1 to {ID_LETTERS} letters, digits, `_`, `-` or `.`", shown())) }
}

fn step(context: &NativeCallContext, id: Option<&str>, node: &str, input: &Dynamic) -> Evaluated {
    let id = id.map(checked).transpose()?;
    let node = named("node", node)?;
    let input = json(input, "the input of the step")?;
    session(context)?.call(id, &format!("do:{node}"), &DurableCall::Step { node: node.to_owned(), input })
}

fn wait_for(context: &NativeCallContext, id: Option<&str>, event: &str, matching: &Dynamic, timeout: Option<&str>) -> Evaluated {
    let id = id.map(checked).transpose()?;
    let matching = json(matching, "what the event must match")?;
    let call = DurableCall::WaitFor { event: event.to_owned(), matching, timeout: timeout.map(str::to_owned) };
    session(context)?.call(id, "wait_for", &call)
}

fn split(context: &NativeCallContext, id: &str, variants: &Map) -> Evaluated {
    let id = checked(id)?;
    let weights = variants.iter().map(|(name, weight)| {
        let weight = weight.as_float().or_else(|_| weight.as_int().map(|whole| whole as FLOAT));
        let weight = weight.ok().filter(|weight| weight.is_finite() && *weight >= 0.0);
        weight.map_or_else(|| thrown(&format!("the weight of the variant \"{name}\" must be a number from 0 on")), |weight| Ok((name.to_string(), weight)))
    });
    let variants = weights.collect::<Result<Vec<_>, _>>()?;
    if variants.iter().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
        return thrown("one variant at least must weigh more than 0");
    }
    session(context)?.call(Some(id), "split", &DurableCall::Split { variants })
}

fn call_workflow(context: &NativeCallContext, workflow: &str, input: Map) -> Evaluated {
    let workflow = named("workflow", workflow)?;
    let input = json(&Dynamic::from_map(input), "the input of the workflow")?;
    session(context)?.call(None, &format!("call:{workflow}"), &DurableCall::Call { workflow: workflow.to_owned(), input })
}

fn start(context: &NativeCallContext, workflow: &str, input: Map) -> Evaluated {
    let workflow = named("workflow", workflow)?;
    let input = json(&Dynamic::from_map(input), "the input of the workflow")?;
    session(context)?.call(None, &format!("start:{workflow}"), &DurableCall::Start { workflow: workflow.to_owned(), input })
}

fn emit(context: &NativeCallContext, event: &str, data: Map) -> Evaluated {
    let event = named("event type", event)?;
    let data = json(&Dynamic::from_map(data), "the event's data")?;
    session(context)?.call(None, &format!("emit:{event}"), &DurableCall::Emit { event: event.to_owned(), data })
}

fn ask(context: &NativeCallContext, id: Option<&str>, question: Map) -> Evaluated {
    let id = id.map(checked).transpose()?;
    let question = json(&Dynamic::from_map(question), "the question")?;
    session(context)?.call(id, "ask", &DurableCall::Ask { question })
}

fn parallel(context: &NativeCallContext, branches: Vec<(String, Dynamic)>) -> Result<Vec<(String, Dynamic)>, Box<EvalAltResult>> {
    if branches.len() > BRANCHES {
        return thrown(&format!("parallel takes {BRANCHES} branches at the most"));
    }
    let mut runs: Vec<(String, Box<dyn FnOnce() -> Evaluated + '_>)> = Vec::with_capacity(branches.len());
    for (name, branch) in branches {
        named("branch", &name)?;
        let Some(closure) = branch.flatten().try_cast::<FnPtr>() else {
            return thrown(&format!("branch {name} of parallel is no closure; write || … before it"));
        };
        let closure = convert::detached_function(closure);
        runs.push((name, Box::new(move || closure.call_raw(context, None, []))));
    }
    session(context)?.parallel(runs)
}
