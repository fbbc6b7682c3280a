//! Several nodes on one store, and what becomes of them: they are killed, stand still for longer than their leases, join, and are
//! restarted one after the other.

use super::world::{Handle, World};
use onward_core::ports::NodeRole;
use onward_testkit::simulation::{SimulatedProcess, SkewedClock};

/// A process on the store.
pub(super) struct Node {
    pub(super) handle: Handle,
    pub(super) process: SimulatedProcess,
    pub(super) role: NodeRole,
    clock: SkewedClock,
    frozen: bool,
}

/// All that there are now.
pub(super) struct Company {
    nodes: Vec<Node>,
}

/// As many nodes as there are at the most.
const MOST: usize = 4;

/// Up to so many hours, there or back.
fn some_hours(world: &World, most: i64) -> i64 {
    world.below((2 * most * 3_600_000).unsigned_abs()) as i64 - most * 3_600_000
}

impl Company {
    /// One node, or several where the world is shared.
    pub(super) fn start(world: &World) -> Self {
        let mut company = Self { nodes: Vec::new() };
        company.join(world, NodeRole::All);
        if !world.take_all {
            for _ in 0..world.below(MOST as u64) {
                company.join_some(world);
            }
        }
        company
    }

    fn join(&mut self, world: &World, role: NodeRole) {
        let process = SimulatedProcess::new(world.simulation.executor.clone());
        let (handle, clock) = world.start_process(&process, role);
        self.nodes.push(Node { handle, process, role, clock, frozen: false });
    }

    fn join_some(&mut self, world: &World) {
        let role = [NodeRole::All, NodeRole::Worker, NodeRole::All, NodeRole::Api][world.below(4) as usize];
        self.join(world, role);
    }

    /// Some node that takes requests.
    pub(super) fn any(&self, world: &World) -> &Handle {
        let awake: Vec<&Node> = self.nodes.iter().filter(|node| !node.frozen).collect();
        &awake[world.below(awake.len() as u64) as usize].handle
    }

    fn worker_is_awake(&self) -> bool {
        self.nodes.iter().any(|node| !node.frozen && node.role.owns_shards())
    }

    /// Kills every node; another one starts.
    pub(super) fn crash(&mut self, world: &World) {
        for node in self.nodes.drain(..) {
            node.process.kill();
        }
        world.simulation.executor.crash();
        self.join(world, NodeRole::All);
    }

    /// Something happens to one of them.
    pub(super) fn misfortune(&mut self, world: &World) {
        let place = world.below(self.nodes.len() as u64) as usize;
        match world.below(9) {
            0..=1 => {
                self.nodes.remove(place).process.kill();
                self.join_some(world);
            }
            2 => self.nodes.remove(place).process.kill(),
            // A node that stands still and a database whose clock leaps forward by as much as a lease: no node can know that its
            // lease has ended early. They are never in one world (docs/proof.md).
            3..=4 if world.clock_is_set => world.store.step_clock(some_hours(world, 4)),
            // Somebody waits for a connection for longer than its leases last.
            4 => world.store.delay_next_begin(world.limits.lease_ms + world.below(3_600_000) as i64),
            3 => {
                // The database ends what lies idle in a transaction.
                self.nodes[place].process.freeze();
                self.nodes[place].frozen = true;
                world.store.inner().end_idle_transaction();
            }
            5 if self.nodes.len() < MOST => self.join_some(world),
            6 if !self.nodes[place].frozen => {
                let leaver = self.nodes.remove(place);
                self.join_some(world);
                world.simulation.executor.block_on(async move { leaver.handle.shutdown().await });
            }
            7 => return self.crash(world),
            8 => self.nodes[place].clock.step(some_hours(world, 48)),
            _ => self.thaw(),
        }
        if !self.worker_is_awake() {
            self.join(world, NodeRole::All);
        }
    }

    /// Whoever stands still goes on.
    pub(super) fn thaw(&mut self) {
        for node in &mut self.nodes {
            node.process.thaw();
            node.frozen = false;
        }
    }

    /// A node that will see the rest: at least one works.
    pub(super) fn steady(&mut self, world: &World) -> Handle {
        self.thaw();
        if !self.worker_is_awake() {
            self.join(world, NodeRole::All);
        }
        self.any(world).clone()
    }

    /// All of them stop, one after the other.
    pub(super) fn shut_down(&self, world: &World) {
        for node in &self.nodes {
            let handle = node.handle.clone();
            world.simulation.executor.block_on(async move { handle.shutdown().await });
        }
        world.simulation.executor.run_ready();
    }
}
