//! Programs that xtask starts: run to their end, or ended by process id.
//!
//! Each child is the leader of a process group of its own, so that a signal to it reaches what it started in turn (the
//! test programs of `cargo test`, the example's processes), and Ctrl-C in a terminal reaches xtask alone. xtask then
//! passes the signal on, and the broker is ended only after the tests that use it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use std::os::unix::process::CommandExt;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The group that xtask waits for; 0 when there is none.
static FOREGROUND: AtomicU32 = AtomicU32::new(0);

/// How often a wait looks again.
const LOOK: Duration = Duration::from_millis(50);
/// How long a line of a program that has ended may be on its way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ctrl-C, SIGTERM and SIGHUP end the program that xtask waits for; what else it holds ends as its functions return.
pub(crate) fn end_children_on_signals() {
    let installed = ctrlc::set_handler(|| {
        let again = INTERRUPTED.swap(true, Ordering::SeqCst);
        signal_group(FOREGROUND.load(Ordering::SeqCst), if again { Signal::SIGKILL } else { Signal::SIGTERM });
    });
    if let Err(error) = installed {
        eprintln!("xtask: signals are not handled: {error}");
    }
}

/// Whether a signal asked xtask to end.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

fn signal_group(group: u32, signal: Signal) {
    if group != 0 {
        // A group that has ended by itself is what was wanted.
        let _ = killpg(Pid::from_raw(group.cast_signed()), signal);
    }
}

/// The command as a person would type it.
pub(crate) fn typed(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    if let Some(first) = words.first_mut()
        && let Some(name) = first.rsplit('/').next()
    {
        *first = name.to_owned();
    }
    words.join(" ")
}

/// Shows the command, runs it to its end with its output on ours.
///
/// # Errors
/// When it does not start, ends with a failure, or a signal interrupts it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("\n$ {}", typed(command));
    let status = wait(command.stdin(Stdio::null()))?;
    if !status.success() {
        bail!("`{}` failed: {status}", typed(command));
    }
    Ok(())
}

/// As [`run`]. `hear` gets each line that the program writes to its standard output; it is shown all the same.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_and_hear(command: &mut Command, mut hear: impl FnMut(&str)) -> Result<()> {
    println!("\n$ {}", typed(command));
    let (said, lines) = mpsc::channel();
    let status = wait_for(command.stdin(Stdio::null()).stdout(Stdio::piped()), |child| {
        if let Some(out) = child.stdout.take() {
            std::thread::spawn(move || pass_on(out, &said));
        }
    })?;
    // What a program that it left behind still says is not waited for.
    while let Ok(line) = lines.recv_timeout(LAST_WORDS) {
        hear(&line);
    }
    if !status.success() {
        bail!("`{}` failed: {status}", typed(command));
    }
    Ok(())
}

fn pass_on(out: ChildStdout, to: &mpsc::Sender<String>) {
    let (mut out, mut line) = (BufReader::new(out), Vec::new());
    while out.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // Whoever closed our output does not want to see it, and whoever does not listen has heard enough.
        let _ = std::io::stdout().write_all(&line);
        let _ = to.send(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

fn wait(command: &mut Command) -> Result<ExitStatus> {
    wait_for(command, |_| {})
}

/// Waits for the end of a program, whose beginning `begun` sees.
fn wait_for(command: &mut Command, begun: impl FnOnce(&mut Child)) -> Result<ExitStatus> {
    if interrupted() {
        bail!("not started after a signal: `{}`", typed(command));
    }
    let mut child = command.process_group(0).spawn().with_context(|| format!("cannot start `{}`", typed(command)))?;
    FOREGROUND.store(child.id(), Ordering::SeqCst);
    if interrupted() {
        signal_group(child.id(), Signal::SIGTERM);
    }
    begun(&mut child);
    let status = child.wait().with_context(|| format!("cannot wait for `{}`", typed(command)));
    FOREGROUND.store(0, Ordering::SeqCst);
    let status = status?;
    if interrupted() {
        bail!("`{}` was interrupted", typed(command));
    }
    Ok(status)
}

/// What a program writes to its standard output.
///
/// # Errors
/// When it does not start or ends with a failure; the message holds its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = typed(command);
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    if !done.status.success() {
        bail!("`{shown}` failed: {}\n{}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    String::from_utf8(done.stdout).with_context(|| format!("`{shown}` did not write UTF-8"))
}

/// Starts a program that stays, in a process group of its own.
///
/// # Errors
/// When it does not start.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).process_group(0).spawn().with_context(|| format!("cannot start `{}`", typed(command)))
}

/// Asks a child to end (SIGTERM), waits for `patience`, then ends it (SIGKILL).
pub(crate) fn end_child(child: &mut Child, patience: Duration) {
    let pid = child.id();
    end(pid, patience, || !matches!(child.try_wait(), Ok(None)));
}

/// The same for a process that another run of xtask started.
pub(crate) fn end_pid(pid: u32, patience: Duration) {
    end(pid, patience, || !alive(pid));
}

fn end(pid: u32, patience: Duration, mut gone: impl FnMut() -> bool) {
    for (signal, patience) in [(Signal::SIGTERM, patience), (Signal::SIGKILL, Duration::from_secs(10))] {
        if gone() {
            return;
        }
        // Already gone is what was wanted.
        let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if gone() {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
    eprintln!("xtask: process {pid} does not end");
}

/// Whether a process runs (one that has ended and waits to be collected does not).
pub(crate) fn alive(pid: u32) -> bool {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        return !matches!(state, Some('Z' | 'X'));
    }
    !std::path::Path::new("/proc/self").exists() && kill(Pid::from_raw(pid.cast_signed()), None).is_ok()
}

/// The command line of a running process.
pub(crate) fn command_line(pid: u32) -> Option<String> {
    // A process that has just been started has no words for a moment.
    for _ in 0..5 {
        match std::fs::read(format!("/proc/{pid}/cmdline")) {
            Ok(bytes) if bytes.is_empty() && alive(pid) => std::thread::sleep(LOOK),
            Ok(bytes) => return Some(String::from_utf8_lossy(&bytes).replace('\0', " ")),
            Err(_) => break,
        }
    }
    output(Command::new("ps").args(["-p", &pid.to_string(), "-o", "command="])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_listens_ends_on_the_first_signal() {
        let mut child = start(Command::new("sleep").arg("1000")).expect("sleep starts");
        end_child(&mut child, Duration::from_secs(30));
        let status = child.wait().expect("it has ended");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(Signal::SIGTERM as i32));
    }

    #[test]
    fn a_child_that_does_not_listen_is_killed_after_the_patience() {
        let script = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
        let mut child =
            start(Command::new("sh").args(["-c", script]).stdout(Stdio::piped())).expect("the shell starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("it says that it is ready");
        end_child(&mut child, Duration::from_millis(200));
        let status = child.wait().expect("it has ended");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(Signal::SIGKILL as i32));
    }

    #[test]
    fn a_process_is_known_by_its_command_line_while_it_lives() {
        let mut child = start(Command::new("sleep").arg("1000.25")).expect("sleep starts");
        assert!(alive(child.id()));
        assert!(command_line(child.id()).is_some_and(|line| line.contains("1000.25")));
        end_pid(child.id(), Duration::from_secs(30));
        assert!(!alive(child.id()));
        child.wait().expect("it is collected");
    }

    #[test]
    fn what_a_program_says_is_heard_whether_it_fails_or_not() {
        for (script, fails) in [("echo one; echo two", false), ("echo one; printf two; exit 3", true)] {
            let mut heard = Vec::new();
            let ended = run_and_hear(Command::new("sh").args(["-c", script]), |line| heard.push(line.to_owned()));
            assert_eq!((heard, ended.is_err()), (vec!["one".to_owned(), "two".to_owned()], fails));
        }
    }

    #[test]
    fn a_program_that_leaves_another_behind_is_not_waited_for() {
        let mut heard = Vec::new();
        let left = "sleep 1000 & echo $!";
        run_and_hear(Command::new("sh").args(["-c", left]), |line| heard.push(line.to_owned())).expect("it ends");
        let left = heard.first().and_then(|line| line.parse().ok()).expect("its process id");
        assert!(alive(left));
        end_pid(left, Duration::from_secs(30));
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).expect_err("it fails");
        assert!(error.to_string().contains("sh -c exit 3"), "{error}");
    }
}
