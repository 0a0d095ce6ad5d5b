//! What does everybody wait for? They are polled once more, and say it.
//!
//! An extra poll is harmless, so nothing has to be kept for it meanwhile. Who stands in a queue is not
//! asked: its turn will come, in its order, and till then it is ready, which says it all.

use std::task::Context;

use super::{Core, poll_main};
use crate::awaits::{self, Await};
use crate::budget::{self, Budget};
use crate::everybody::{Everybody, Waiting};
use crate::num::Num;
use crate::task_id::TaskId;
use crate::waker::waker;

/// What has come of asking.
pub(crate) enum Asked {
    /// This is who waits for what.
    Everybody {
        everybody: Everybody,
        /// Whether somebody is ready, or has ended: nobody had woken him, and asking him was enough.
        somebody_goes_on: bool,
    },
    MainHasEnded,
}

impl Core {
    /// Asks everybody what they wait for: `main`, if there is one, whose poll is `poll`, and then the
    /// tasks. Who goes on all the same has the `budget` of any poll, and gives way.
    #[cold]
    pub(crate) fn ask_everybody(
        &self,
        budget: Budget,
        main: Option<Num>,
        poll: &mut dyn FnMut(&mut Context<'_>) -> bool,
    ) -> Asked {
        let _asking = awaits::ask();
        let _budget = budget::suspend();
        let mut main_awaits = Vec::new();
        let waiting_main = main.filter(|main| !self.slots.borrow().is_queued(*main));
        if let Some(num) = waiting_main {
            if self.ask(num, budget, |cx| poll_main(num, cx, poll)) {
                return Asked::MainHasEnded;
            }
            self.adopt_what_is_left(num);
            main_awaits = awaits::take_since(0);
        }
        let mut said: Vec<(TaskId, Vec<Await>)> = Vec::new();
        let mut somebody_has_ended = false;
        let tasks = self.slots.borrow().tasks();
        for task in tasks {
            let num = task.num();
            if self.slots.borrow().is_queued(num) {
                continue;
            }
            self.ask(num, budget, |cx| self.poll_task(task.clone(), num, cx));
            self.adopt_what_is_left(num);
            if task.is_closing() {
                self.say_what_it_closes_for(&task);
            }
            said.push((task.id(), awaits::take_since(0)));
            somebody_has_ended |= task.has_ended();
        }
        let list = self.list(main, main_awaits, said);
        let somebody_goes_on = somebody_has_ended || self.slots.borrow().ready() > 0;
        Asked::Everybody { everybody: Everybody::new(list), somebody_goes_on }
    }

    /// One poll more.
    fn ask<R>(&self, num: Num, budget: Budget, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let waker = waker(num);
        self.root.set(Some(num));
        budget::set(budget);
        let polled = poll(&mut Context::from_waker(&waker));
        self.root.set(None);
        polled
    }

    /// Those who are there now, with what they have said: in the order of their numbers.
    fn list(
        &self,
        main: Option<Num>,
        main_awaits: Vec<Await>,
        mut said: Vec<(TaskId, Vec<Await>)>,
    ) -> Vec<Waiting> {
        let slots = self.slots.borrow();
        let main = main.map(|num| Waiting {
            task: None,
            name: None,
            spawned: None,
            cancelled: false,
            ready: slots.is_queued(num),
            awaits: main_awaits,
        });
        let mut list: Vec<Waiting> = main.into_iter().collect();
        for task in slots.tasks() {
            if task.has_ended() {
                continue;
            }
            let at = said.binary_search_by_key(&task.id(), |(id, _)| *id);
            list.push(Waiting {
                task: Some(task.id()),
                name: task.name(),
                spawned: Some(task.spawned()),
                cancelled: task.cancel_asked(),
                ready: slots.is_queued(task.num()),
                awaits: at.map(|at| std::mem::take(&mut said[at].1)).unwrap_or_default(),
            });
        }
        list
    }
}
