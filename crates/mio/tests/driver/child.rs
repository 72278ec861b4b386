//! Tests that need a process of their own: they run this test binary again, for one test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

const IN_CHILD: &str = "ROPEWALK_TEST_CHILD";

/// A child that runs one test, in which [`is_child`] is true.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

pub(crate) fn is_child() -> bool {
    std::env::var_os(IN_CHILD).is_some()
}

/// Says a line to the parent.
pub(crate) fn say(words: &str) {
    use std::io::Write;
    let mut output = std::io::stdout();
    output.write_all(format!("@{words}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

impl Process {
    /// Runs `test` in a shell that did `prepare` first (`ulimit -n 64`).
    pub(crate) fn start(test: &str, prepare: &str) -> Self {
        let mut child = Command::new("sh")
            .args([
                "-c",
                &format!("{prepare}; exec \"$0\" --exact {test} --nocapture"),
            ])
            .arg(std::env::current_exe().unwrap())
            .env(IN_CHILD, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child said.
    pub(crate) fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "the child said no more"
            );
            // The harness writes the test's name before what the test says, without a line's end.
            if let Some((_, said)) = line.split_once('@') {
                return said.trim_end().to_owned();
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the child, which must be a success.
    pub(crate) fn succeed(mut self) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
    }

    /// The signal that ended the child.
    pub(crate) fn killed_by(mut self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.child.wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
