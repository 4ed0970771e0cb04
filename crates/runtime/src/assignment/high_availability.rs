//! Java's default: tasks are spread evenly, and each runs where its state is until the place where it belongs is warmed up (KIP-441).

mod movements;
mod shares;

use headwater_topology::TaskId;

use self::movements::Movements;
use self::shares::{Role, Shares};
use super::{ClusterView, Placement, StickyAssignor, TaskAssignor};

/// Places stateful tasks evenly by the number of threads, then lets those whose place lags by more than `acceptable.recovery.lag` run where
/// they are caught up, or where most of their state is. Up to `max.warmup.replicas` of them are warmed up, as standbys, where they belong,
/// and `probing.rebalance.interval.ms` later it is looked again.
///
/// The same as Java's `HighAvailabilityTaskAssignor` without racks and tags, for every view that is recorded of it. Where the ends of
/// changelogs are not known, so that nobody knows who lags, tasks stay where they are, and it is looked again too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighAvailabilityTaskAssignor;

impl TaskAssignor for HighAvailabilityTaskAssignor {
    fn assign(&self, view: &ClusterView) -> Placement {
        if view.tasks.values().any(|task| task.stateful && task.end_offset_sum.is_none()) {
            return Placement { probing: true, ..StickyAssignor.assign(view) };
        }
        let of_kind = |stateful: bool| -> Vec<TaskId> {
            view.tasks.iter().filter(|(_, task)| task.stateful == stateful).map(|(id, _)| *id).collect()
        };
        let (stateful, mut shares) = (of_kind(true), Shares::of(view));
        shares.deal(&stateful);
        shares.balance(Role::Active);
        for task in &stateful {
            shares.add_standbys(*task, view.settings.standby_replicas);
        }
        shares.balance(Role::Standby);
        let needed = Movements::new(view, &mut shares).carry_out();
        for task in of_kind(false) {
            shares.add_stateless(task);
        }
        Placement { probing: needed > 0, ..shares.into_placement() }
    }
}
