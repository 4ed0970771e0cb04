//! What is planned to go wrong, and what becomes of each request.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use headwater_client::ClientError;
use headwater_record::{Clock, Deadline, Timestamp};

use super::{Api, unavailable};
use crate::ManualClock;
use crate::cluster::State;

#[derive(Clone, Debug)]
pub(super) enum Effect {
    Fail(ClientError),
    LoseResponse,
    Delay(Duration),
    Repeat(Duration),
}

#[derive(Debug)]
pub(super) struct Rule {
    api: Api,
    client_id: Option<String>,
    times: u32,
    effect: Effect,
}

#[derive(Debug)]
pub(crate) struct Outage {
    /// Whose; of all when `None`.
    pub(crate) client_id: Option<String>,
    pub(crate) until: Timestamp,
}

/// How late answers come, and the clock by which whoever waits for one lets time pass.
#[derive(Clone, Debug)]
pub(crate) struct Delay {
    pub(super) client_id: Option<String>,
    pub(super) clock: ManualClock,
    pub(super) by: Duration,
}

impl Delay {
    /// When the answer to what is sent now comes.
    pub(crate) fn due(&self) -> Timestamp {
        self.clock.now().plus(self.by)
    }

    /// Lets time pass until an answer comes at `due`, but not beyond `until`; whether it has come.
    pub(crate) fn wait(&self, due: Timestamp, until: Deadline) -> bool {
        self.clock.set(self.clock.now().max(due.min(until.time())));
        due <= until.time()
    }
}

/// What becomes of one request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is answered.
    Pass,
    /// It has no effect, and this is the answer.
    Fail(ClientError),
    /// It has its effect, but nobody hears of it.
    LoseResponse,
    /// It arrives so much later, and nobody hears of it.
    Delay(Duration),
    /// It is answered, and arrives so much later once more.
    Repeat(Duration),
}

/// A request that is still on its way.
pub(crate) struct UnderWay {
    arrives: Timestamp,
    request: Box<dyn FnOnce(&mut State, Timestamp) + Send>,
}

impl UnderWay {
    /// It arrives.
    pub(crate) fn perform(self, state: &mut State, now: Timestamp) {
        (self.request)(state, now);
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay").field("arrives", &self.arrives).finish_non_exhaustive()
    }
}

/// A crash of the transaction coordinator.
#[derive(Debug)]
pub(crate) struct Crash {
    /// After so many markers of one transaction.
    pub(crate) markers: usize,
    /// When it is back.
    pub(crate) back: Timestamp,
}

/// What is planned to go wrong.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan {
    pub(super) rules: Vec<Rule>,
    pub(crate) outages: Vec<Outage>,
    pub(super) delays: Vec<Delay>,
    under_way: Vec<UnderWay>,
    pub(super) crashes: VecDeque<Crash>,
}

impl FaultPlan {
    /// How late answers to this client come, if they do.
    pub(crate) fn delay(&self, client_id: &str) -> Option<Delay> {
        self.delays.iter().rfind(|delay| delay.client_id.as_deref().is_none_or(|id| id == client_id)).cloned()
    }

    /// What becomes of a request of `client_id`; counted rules are used up by it.
    #[inline]
    pub(crate) fn verdict(&mut self, api: Api, client_id: &str) -> Verdict {
        if self.rules.is_empty() && self.outages.is_empty() {
            return Verdict::Pass;
        }
        if self.is_cut_off(client_id) {
            return Verdict::Fail(unavailable());
        }
        let matches = |rule: &Rule| rule.api == api && rule.client_id.as_deref().is_none_or(|id| id == client_id);
        let Some(index) = self.rules.iter().position(matches) else {
            return Verdict::Pass;
        };
        let Some(rule) = self.rules.get_mut(index) else {
            return Verdict::Pass;
        };
        let effect = rule.effect.clone();
        rule.times -= 1;
        if rule.times == 0 {
            self.rules.remove(index);
        }
        match effect {
            Effect::Fail(error) => Verdict::Fail(error),
            Effect::LoseResponse => Verdict::LoseResponse,
            Effect::Delay(by) => Verdict::Delay(by),
            Effect::Repeat(by) => Verdict::Repeat(by),
        }
    }

    /// Has a request arrive later.
    pub(crate) fn send_later(
        &mut self,
        arrives: Timestamp,
        request: impl FnOnce(&mut State, Timestamp) + Send + 'static,
    ) {
        self.under_way.push(UnderWay { arrives, request: Box::new(request) });
    }

    /// Takes out the request that arrives first, if it arrives at `now` or before.
    pub(crate) fn arrived(&mut self, now: Timestamp) -> Option<UnderWay> {
        let (index, first) = self.under_way.iter().enumerate().min_by_key(|(_, request)| request.arrives)?;
        (first.arrives <= now).then(|| self.under_way.remove(index))
    }

    /// The crash that interrupts the markers that are to be written now.
    pub(crate) fn take_crash(&mut self) -> Option<Crash> {
        self.crashes.pop_front()
    }

    /// When an outage ends or a delayed request arrives next.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        let outages = self.outages.iter().map(|outage| outage.until);
        outages.chain(self.under_way.iter().map(|request| request.arrives)).min()
    }

    /// Whether nothing of this client gets through.
    pub(crate) fn is_cut_off(&self, client_id: &str) -> bool {
        self.outages.iter().any(|outage| outage.client_id.as_deref().is_none_or(|id| id == client_id))
    }

    /// Takes out the outage that ends first, if it ends at `now` or before.
    pub(crate) fn ended(&mut self, now: Timestamp) -> Option<Outage> {
        let first = self.outages.iter().enumerate().min_by_key(|(_, outage)| outage.until)?;
        let (index, ends) = (first.0, first.1.until);
        (ends <= now).then(|| self.outages.remove(index))
    }

    pub(super) fn plan(&mut self, api: Api, client_id: Option<&str>, times: u32, effect: Effect) {
        if times > 0 {
            self.rules.push(Rule { api, client_id: client_id.map(str::to_owned), times, effect });
        }
    }
}
