//! How a server ends.

use super::*;
use std::fs;

#[test]
fn a_signal_ends_server_and_host() {
    for signal in ["TERM", "INT"] {
        let sandbox = Sandbox::new();
        spinner(&sandbox);
        let script = "echo $$ > pid; exec sleep 1000";
        let flags = ["--cache-dir", "cache", "--", "sh", "-c", script];
        let server = Server::start(&sandbox, "program.bin", &flags);
        let running = server.keep_busy();
        server.running.signal(signal);
        let reply = receive(running).unwrap();
        assert_eq!(
            (reply.status, reply.json()["error"].as_str()),
            (503, Some("the server is ending"))
        );
        let ran = server.running.finish().expect(130);
        assert!(
            ran.stderr.ends_with("command interrupted\n"),
            "{}",
            ran.stderr
        );
        assert!(!server.socket.exists());
        let pid = fs::read_to_string(sandbox.path("pid")).unwrap();
        assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
        // The native code that it has made is there for others.
        assert!(fs::read_dir(sandbox.path("cache")).unwrap().count() > 0);
    }
}

#[test]
fn an_idle_server_ends_too() {
    let sandbox = Sandbox::new();
    spinner(&sandbox);
    let server = Server::start(&sandbox, "program.bin", &[]);
    let idle = UnixStream::connect(&server.socket).unwrap();
    server.running.signal("TERM");
    server.running.finish().expect(130);
    assert!(receive(idle).is_none());
}

#[test]
fn clients_of_a_killed_server_hear_of_it_and_the_next_one_takes_its_place() {
    let sandbox = Sandbox::new();
    spinner(&sandbox);
    let mut server = Server::start(&sandbox, "program.bin", &[]);
    let running = server.keep_busy();
    server.running.signal("KILL");
    server.running.wait();
    assert!(receive(running).is_none());
    assert!(server.socket.exists());
    let server = Server::start(&sandbox, "program.bin", &[]);
    assert_eq!(server.get("/v1/hash?step=5").status, 200);
}

#[test]
fn a_server_begins_again_when_its_store_is_gone() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &prestate("hello"), &[]);
    let marks = crate::stores::marks("hello");
    let hash = |step: u64| server.get(&format!("/v1/hash?step={step}"));
    assert_eq!(hash(300_000).status, 200);
    let folders = fs::read_dir(sandbox.path("store")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let trace = { folders }.find(|path| path.is_dir()).unwrap();
    fs::remove_dir_all(&trace).unwrap();
    for (step, wanted) in marks[..4].iter().rev() {
        let reply = hash(*step);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["stateHash"], *wanted);
    }
    // Nothing can be read or written for a while.
    fs::remove_dir_all(&trace).unwrap();
    fs::write(&trace, "").unwrap();
    for step in [250_000, 2000] {
        let reply = hash(step);
        assert_eq!(reply.status, 500, "{}", reply.text());
        assert!(reply.text().contains("cannot access"), "{}", reply.text());
    }
    fs::remove_file(&trace).unwrap();
    for (step, wanted) in &marks {
        let reply = hash(*step);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["stateHash"], *wanted);
    }
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out() {
    let sandbox = Sandbox::new();
    spinner(&sandbox);
    let server = Server::start(&sandbox, "program.bin", &[]);
    let connect = |_| {
        let mut stream = UnixStream::connect(&server.socket).unwrap();
        stream.write_all(b"GET /hea").unwrap();
        stream
    };
    // Some more wait to be accepted.
    let idle: Vec<_> = (0..300).map(connect).collect();
    assert_eq!(server.get("/health").status, 200);
    for mut stream in idle {
        let patience = std::time::Duration::from_secs(60);
        stream.set_read_timeout(Some(patience)).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.is_empty() || Reply::of(&answer).unwrap().status == 408);
    }
    assert_eq!(server.get("/health").status, 200);
}
