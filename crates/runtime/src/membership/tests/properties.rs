//! What holds for any sequence of members that come and go.

use proptest::prelude::*;

use super::world::World;
use crate::membership::Event;

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(usize),
    Leave(usize),
    Crash(usize),
    Drop(usize),
    Rejoin(usize),
    RefuseCommit(usize),
    /// Its revocations take for ever, or no longer.
    Busy(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..4usize;
    let step = prop_oneof![
        4 => who.clone().prop_map(Step::Start),
        2 => who.clone().prop_map(Step::Leave),
        1 => who.clone().prop_map(Step::Crash),
        1 => who.clone().prop_map(Step::Drop),
        1 => who.clone().prop_map(Step::Rejoin),
        1 => who.clone().prop_map(Step::RefuseCommit),
        2 => (who, any::<bool>()).prop_map(|(who, busy)| Step::Busy(who, busy)),
    ];
    prop::collection::vec(step, 1..20)
}

fn play(world: &mut World, step: Step) {
    let (Step::Start(who)
    | Step::Leave(who)
    | Step::Crash(who)
    | Step::Drop(who)
    | Step::Rejoin(who)
    | Step::RefuseCommit(who)
    | Step::Busy(who, _)) = step;
    let name = format!("m{who}");
    let lives = world.threads.get(&name).is_some_and(|thread| !thread.membership.is_ended());
    match step {
        Step::Start(_) if !lives => world.start(&name),
        Step::Leave(_) if lives => world.tell(&name, Event::Close { leave: true }),
        Step::Crash(_) if lives => world.crash(&name),
        Step::Drop(_) if lives => world.drop_member(&name),
        Step::Rejoin(_) if lives => world.tell(&name, Event::Rejoin { reason: "as the dice say".to_owned() }),
        Step::RefuseCommit(_) if lives => {
            world.tell(&name, Event::CommitRefused(headwater_client::GroupError::IllegalGeneration));
        }
        Step::Busy(_, busy) if lives => world.set_busy(&name, busy),
        _ => {}
    }
}

/// Every task has one owner, and nobody has two more than another.
fn check_balance(world: &World) -> Result<(), TestCaseError> {
    let live: Vec<_> = world.threads.values().filter(|thread| !thread.membership.is_ended()).collect();
    prop_assert!(live.iter().all(|thread| thread.membership.is_stable()), "{}", world.running());
    let runs: Vec<usize> = live.iter().map(|thread| thread.running.len()).collect();
    if let (Some(least), Some(most)) = (runs.iter().min(), runs.iter().max()) {
        prop_assert_eq!(runs.iter().sum::<usize>(), world.tasks.len());
        prop_assert!(most - least <= 1, "{}", world.running());
    }
    Ok(())
}

proptest! {
    #[test]
    fn after_each_step_every_task_has_one_owner_in_balance_and_stayers_keep_theirs(
        steps in steps(),
        partitions in 1..9i32,
        stateful in any::<bool>(),
    ) {
        let mut world = World::new(partitions, stateful);
        // Each step is through before the next.
        for step in steps.into_iter().filter(|step| !matches!(step, Step::Busy(..))) {
            let before: Vec<_> =
                world.threads.iter().map(|(name, thread)| (name.clone(), thread.running.clone())).collect();
            play(&mut world, step);
            check_balance(&world)?;
            // Who lost its place came back as a new one, after the others had taken over.
            let one_change = !matches!(step, Step::Drop(_) | Step::RefuseCommit(_));
            // A member that stayed gives up no more than it has above its share.
            for (name, had) in before.into_iter().filter(|_| one_change) {
                let Some(thread) = world.threads.get(&name).filter(|thread| !thread.membership.is_ended()) else {
                    continue;
                };
                let kept = had.keys().filter(|task| thread.running.contains_key(task)).count();
                prop_assert!(kept == had.len().min(thread.running.len()), "{name}: {}", world.running());
            }
            for thread in world.threads.values_mut() {
                thread.log.clear();
            }
        }
    }

    #[test]
    fn steps_that_overlap_end_in_balance_once_everybody_is_free(steps in steps(), partitions in 1..9i32) {
        let mut world = World::new(partitions, true);
        for step in steps {
            play(&mut world, step);
        }
        let names: Vec<String> = world.threads.keys().cloned().collect();
        for name in names {
            world.set_busy(&name, false);
        }
        check_balance(&world)?;
    }
}
