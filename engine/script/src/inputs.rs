//! What the nodes of a script are called with, as far as the script says it literally.

use crate::{convert, problems::Places};
use onward_core::{
    Value,
    ports::{ScriptField, ScriptInput, ScriptShape, ScriptValue},
};
use rhai::{Expr, FnCallExpr};

/// The node that a call of `step` names, and its input; none where the node is not literal.
pub(crate) fn of_step(call: &FnCallExpr, places: Places) -> Option<ScriptInput> {
    // `step([id,] node [, input])`
    let (node, input) = match &*call.args {
        [node] | [_, node @ Expr::StringConstant(..)] => (node, None),
        [node, input @ (Expr::Map(..) | Expr::DynamicConstant(..))] | [_, node, input] => (node, Some(input)),
        _ => return None,
    };
    let Expr::StringConstant(name, position) = node else { return None };
    let (line, column) = places.of(*position);
    let nothing = ScriptValue { line, column, shape: ScriptShape::Map(Vec::new()) };
    Some(ScriptInput { node: name.to_string(), value: input.map_or(nothing, |input| value_of(input, places)) })
}

fn value_of(expression: &Expr, places: Places) -> ScriptValue {
    let (line, column) = places.of(expression.start_position());
    let shape = match expression {
        Expr::Map(map, _) => ScriptShape::Map(
            map.0
                .iter()
                .map(|(name, value)| {
                    let (line, column) = places.of(name.pos);
                    ScriptField { name: name.name.to_string(), line, column, value: value_of(value, places) }
                })
                .collect(),
        ),
        Expr::Array(items, _) => ScriptShape::List(items.iter().map(|item| value_of(item, places)).collect()),
        Expr::StringConstant(text, _) => ScriptShape::Literal(text.as_str().into()),
        Expr::IntegerConstant(number, _) => ScriptShape::Literal((*number).into()),
        Expr::FloatConstant(number, _) => ScriptShape::Literal((**number).into()),
        Expr::BoolConstant(truth, _) => ScriptShape::Literal((*truth).into()),
        Expr::Unit(_) => ScriptShape::Literal(Value::Null),
        Expr::DynamicConstant(value, _) => convert::to_json(value).map_or(ScriptShape::Computed, ScriptShape::Literal),
        _ => ScriptShape::Computed,
    };
    ScriptValue { line, column, shape }
}
