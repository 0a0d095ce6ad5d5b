//! Whose wakers does somebody else's code hold, and who is queued? For reports.

use super::{CHILD, QUEUED, Slots};
use crate::num::Num;
use crate::task_id::TaskId;

impl Slots {
    /// The roots of whose wakers, or of whose children's, somebody else's code holds clones: each once,
    /// in the order of their slots.
    pub(crate) fn held(&self) -> Vec<Num> {
        let held = self.table.cloned().filter_map(|slot| self.root_in(slot));
        let mut roots: Vec<Num> = held.collect();
        roots.sort_unstable_by_key(|root| root.slot());
        roots.dedup();
        roots
    }

    /// Who lives in a slot; of a child, the root that has polled its group last.
    fn root_in(&self, slot: usize) -> Option<Num> {
        let tenant = self.table.get(slot)?;
        match &tenant.task {
            Some(task) => Some(task.num()),
            None if tenant.mark & CHILD != 0 => self.groups[tenant.link as usize].root,
            None => self.table.number(slot),
        }
    }

    /// The root behind a live number; of a child, the one that has polled its group last.
    pub(crate) fn root_of(&self, num: Num) -> Option<Num> {
        if self.is_live(num) { self.root_in(num.slot()) } else { None }
    }

    /// The task that a root is; `None`: main.
    pub(crate) fn task_id(&self, root: Num) -> Option<TaskId> {
        self.task(root).map(crate::cell::Task::id)
    }

    /// Whether it stands in a queue, and will be polled without being woken.
    pub(crate) fn is_queued(&self, num: Num) -> bool {
        let slot = self.table.get(num.slot());
        slot.is_some_and(|slot| slot.mark == num.generation() | QUEUED)
    }
}
