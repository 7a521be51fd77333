//! `run` beside a server of its trace.

use super::*;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// Steps so far apart that asking the server saves something.
const FLAGS: [&str; 12] = [
    "--proof-at",
    "=20000000",
    "--proof-fmt",
    "-",
    "--snapshot-at",
    "=40000000",
    "--info-at",
    "never",
    "--debug-info",
    "debug.json",
    "--stop-at",
    "=41000000",
];

const FILES: [&str; 3] = ["debug.json", "out.bin.gz", "state-40000000.bin.gz"];

/// What a run has left: stdout, what the guest has printed, files.
fn results(sandbox: &Sandbox, ran: &Ran) -> (String, Vec<String>, Vec<Vec<u8>>) {
    let guest = ran
        .stderr
        .lines()
        .filter(|line| line.contains("module=guest"));
    let guest = guest.map(|line| line.split_once("msg=").unwrap().1.to_owned());
    let files = FILES.map(|name| std::fs::read(sandbox.path(name)).unwrap());
    (ran.stdout.clone(), guest.collect(), files.into())
}

/// A run without a server or even a store.
fn alone(flags: &[&str]) -> (String, Vec<String>, Vec<Vec<u8>>) {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&prestate("sortmap"), flags).expect(0);
    results(&sandbox, &ran)
}

fn with_store(sandbox: &Sandbox) -> Ran {
    let flags = [&FLAGS[..], &["--store", "store"]].concat();
    sandbox.run(&prestate("sortmap"), &flags).expect(0)
}

#[test]
fn a_run_has_the_same_results_with_a_server() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &prestate("sortmap"), &[]);
    let ran = with_store(&sandbox);
    assert_eq!(results(&sandbox, &ran), alone(&FLAGS));
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    assert!(server.counts("carronade_requests_total{kind=\"publish\",outcome=\"ok\"} 2"));
    // The server goes on where the run has been, too.
    assert_eq!(server.get("/v1/hash?step=41000000").status, 200);
}

#[test]
fn a_run_does_not_ask_the_server_of_another_trace() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &prestate("sortmap"), &["--inputs", "others"]);
    let ran = with_store(&sandbox);
    assert_eq!(results(&sandbox, &ran), alone(&FLAGS));
    let text = server.get("/metrics").text();
    assert!(!text.contains("kind=\"publish\""), "{text}");
}

/// Reads a request to its end: a connection that is closed before that is reset, and the
/// answer lost.
fn read_request(stream: &mut UnixStream) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
}

/// A server that says which trace it has, and then does something else.
fn pretender(sandbox: &Sandbox, then: impl FnOnce(UnixStream) + Send + 'static) -> JoinHandle<()> {
    let mut server = Server::start(sandbox, &prestate("sortmap"), &[]);
    let about = server.get("/v1/trace").text();
    server.running.signal("KILL");
    server.running.wait();
    std::fs::remove_file(&server.socket).unwrap();
    let listener = UnixListener::bind(&server.socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", about.len());
        stream.write_all((head + &about).as_bytes()).unwrap();
        drop(stream);
        then(listener.accept().unwrap().0);
    })
}

#[test]
fn a_run_goes_on_without_a_server_that_goes_away() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        "nonsense\r\n\r\n",
    ] {
        let sandbox = Sandbox::new();
        let server = pretender(&sandbox, move |mut stream| {
            read_request(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let ran = with_store(&sandbox);
        server.join().unwrap();
        assert_eq!(results(&sandbox, &ran), alone(&FLAGS));
        let warnings = ran.stderr.matches("the run goes on without it").count();
        assert_eq!(warnings, 1, "{}", ran.stderr);
    }
}

#[test]
fn a_run_goes_on_without_a_server_that_is_stopped() {
    let sandbox = Sandbox::new();
    let (sender, asked) = std::sync::mpsc::channel();
    // It keeps its connections, and accepts more, but says nothing.
    let _server = pretender(&sandbox, move |stream| {
        sender.send(stream).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
    });
    let ran = with_store(&sandbox);
    drop(asked.recv().unwrap());
    assert_eq!(results(&sandbox, &ran), alone(&FLAGS));
    assert!(
        ran.stderr.contains("it has stopped answering"),
        "{}",
        ran.stderr
    );
    let warnings = ran.stderr.matches("the run goes on without it").count();
    assert_eq!(warnings, 1, "{}", ran.stderr);
}

#[test]
fn a_run_that_waits_for_a_server_is_interrupted() {
    let sandbox = Sandbox::new();
    let (sender, asked) = std::sync::mpsc::channel();
    let _server = pretender(&sandbox, move |stream| sender.send(stream).unwrap());
    let pre = prestate("sortmap");
    let head = ["run", "--input", &pre, "--meta", "", "--store", "store"];
    let running = sandbox.spawn(&[&head[..], &FLAGS].concat());
    let _stream = asked.recv().unwrap();
    running.signal("TERM");
    let ran = running.finish().expect(130);
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
}

#[test]
fn a_socket_without_a_server_is_no_obstacle() {
    let sandbox = Sandbox::new();
    let mut server = Server::start(&sandbox, &prestate("sortmap"), &[]);
    server.running.signal("KILL");
    server.running.wait();
    let ran = with_store(&sandbox);
    assert_eq!(results(&sandbox, &ran), alone(&FLAGS));
}
