//! Plain HTTP, without a client that would hide what is sent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

/// Sends one HTTP request and reads to the end: status and body, or why there is none.
pub fn http(url: &str, request: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))?;
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: devnet\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || std::io::Error::other(format!("broken off: {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    if head.to_lowercase().contains("transfer-encoding") {
        // Only the answers that break off have no length.
        return Err(broken());
    }
    Ok((status.ok_or_else(broken)?, body.to_owned()))
}

/// The result of a JSON-RPC call, or the error's message.
pub fn call(url: &str, method: &str, params: Value) -> Result<Value, String> {
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let (status, body) =
        http(url, "POST /", &request.to_string()).map_err(|error| error.to_string())?;
    assert_eq!(status, 200);
    let mut answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answer["id"], 7);
    match answer["error"]["message"].as_str() {
        Some(message) => Err(message.to_owned()),
        None => Ok(answer["result"].take()),
    }
}
