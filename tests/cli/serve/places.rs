//! Where a server listens, and where it does not.

use super::*;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

fn serve(sandbox: &Sandbox, flags: &[&str]) -> Ran {
    let head = ["serve", "--input", "program.bin"];
    sandbox.call(&[&head[..], flags].concat())
}

#[test]
fn a_server_listens_at_a_port_of_this_machine() {
    let sandbox = Sandbox::new();
    spinner(&sandbox);
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let free = free.to_string();
    let _server = sandbox.spawn(&[
        "serve",
        "--input",
        "program.bin",
        "--store",
        "store",
        "--listen",
        &free,
    ]);
    wait_until("the server listens", || TcpStream::connect(&free).is_ok());
    let stream = TcpStream::connect(&free).unwrap();
    // Led here by another name.
    let reply = receive(send_request(stream, "GET", "/v1/hash?step=3")).unwrap();
    assert_eq!(reply.status, 403);
    let mut stream = TcpStream::connect(&free).unwrap();
    let head = format!("GET /v1/hash?step=3 HTTP/1.1\r\nHost: {free}\r\n");
    write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
    assert_eq!(receive(stream).unwrap().status, 200);
    let taken = serve(&sandbox, &["--store", "store", "--listen", &free]);
    taken.fails(1, &["cannot listen at 127.0.0.1:"]);
}

#[test]
fn other_places_are_refused() {
    let sandbox = Sandbox::new();
    spinner(&sandbox);
    sandbox.write("file", "");
    let long = format!("unix:{}", "x".repeat(200));
    for (place, word) in [
        ("0.0.0.0:7000", "loopback"),
        ("192.168.1.1:7000", "loopback"),
        ("[::]:7000", "loopback"),
        ("localhost:7000", "neither unix:PATH nor IP:PORT"),
        (
            "unix:missing/socket",
            "cannot listen at unix:missing/socket",
        ),
        ("unix:file", "there is a file of this name"),
        (&long, "cannot listen at unix:xxx"),
    ] {
        let refused = serve(&sandbox, &["--store", "store", "--listen", place]);
        refused.fails(1, &[word]);
    }
    serve(&sandbox, &["--store", "s3://bucket/x"]).fails(1, &["--listen is needed"]);
    assert_eq!(sandbox.files(), ["file", "meta.json", "program.bin"]);
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_a_live_one_is_not() {
    let sandbox = Sandbox::new();
    spinner(&sandbox);
    std::fs::create_dir(sandbox.path("store")).unwrap();
    drop(UnixListener::bind(sandbox.path("store/serve.sock")).unwrap());
    let server = Server::start(&sandbox, "program.bin", &[]);
    let second = serve(&sandbox, &["--store", "store"]);
    second.fails(1, &["somebody listens there already"]);
    assert_eq!(server.get("/v1/hash?step=5").status, 200);
}
