//! The server, fed through pipes by this process.

mod common;

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::thread::JoinHandle;
use std::time::Duration;

use carronade_host::{HostFds, ServeError, Served, serve};
use common::{EchoStore, again, key, large, within};

/// Not a test but the start of the programs that the tests run; see `common`.
#[test]
fn role_entry() {
    if common::role().as_deref() == Some("serve") {
        common::serve_and_exit()
    }
}

/// What a server returned, and the hints it received.
type Outcome = (Result<Served, ServeError>, Vec<Vec<u8>>);

/// A server in a thread, and the client's ends of its pipes.
struct Client {
    hints: PipeWriter,
    acks: PipeReader,
    keys: PipeWriter,
    images: PipeReader,
    server: JoinHandle<Outcome>,
}

impl Client {
    fn start() -> Self {
        let (hint_in, hints) = std::io::pipe().unwrap();
        let (acks, ack_out) = std::io::pipe().unwrap();
        let (key_in, keys) = std::io::pipe().unwrap();
        let (images, image_out) = std::io::pipe().unwrap();
        let server = std::thread::spawn(move || {
            let fds = HostFds {
                hint_in: hint_in.into(),
                ack_out: ack_out.into(),
                key_in: key_in.into(),
                image_out: image_out.into(),
            };
            let store = EchoStore::filled();
            let mut keep = |hint: &[u8]| store.hints.lock().unwrap().push(hint.to_vec());
            let outcome = serve(&store, &mut keep, &fds);
            (outcome, store.hints.into_inner().unwrap())
        });
        Self {
            hints,
            acks,
            keys,
            images,
            server,
        }
    }

    fn ack(&mut self) {
        self.acks.read_exact(&mut [0]).unwrap();
    }

    fn image(&mut self) -> Vec<u8> {
        let mut length = [0; 8];
        self.images.read_exact(&mut length).unwrap();
        let mut image = vec![0; u64::from_be_bytes(length) as usize];
        self.images.read_exact(&mut image).unwrap();
        image
    }

    /// Closes everything and returns what the server has to say.
    fn end(self) -> Outcome {
        drop((self.hints, self.acks, self.keys, self.images));
        self.server.join().unwrap()
    }
}

#[test]
fn requests_may_come_bit_by_bit_and_interleaved() {
    within(20, || {
        let mut client = Client::start();
        let pause = || std::thread::sleep(Duration::from_millis(5));
        // A pre-image is served in the middle of a hint, and the other way round.
        client.hints.write_all(&[0, 0]).unwrap();
        client.keys.write_all(&key(2, 1)[..10]).unwrap();
        pause();
        client.hints.write_all(&[0, 5, b'a', b'b']).unwrap();
        client.keys.write_all(&key(2, 1)[10..]).unwrap();
        assert_eq!(client.image(), b"hello");
        client.keys.write_all(&key(2, 0)[..1]).unwrap();
        for byte in b"cde" {
            pause();
            client.hints.write_all(&[*byte]).unwrap();
        }
        client.ack();
        client.keys.write_all(&key(2, 0)[1..]).unwrap();
        assert_eq!(client.image(), b"");
        // Two of each at once.
        client
            .hints
            .write_all(&[0, 0, 0, 0, 0, 0, 0, 1, b'z'])
            .unwrap();
        client.ack();
        client.ack();
        client
            .keys
            .write_all(&[key(2, 2), key(2, 1)].concat())
            .unwrap();
        assert_eq!(client.image(), large());
        assert_eq!(client.image(), b"hello");
        let (outcome, hints) = client.end();
        assert_eq!(hints, [&b"abcde"[..], b"", b"z"]);
        let bytes = 10 + (1 << 20);
        assert_eq!(
            outcome.unwrap(),
            Served {
                hints: 3,
                preimages: 4,
                bytes
            }
        );
    });
}

#[test]
fn the_end_of_either_channel_ends_the_server() {
    within(20, || {
        let Client {
            hints,
            server,
            keys: _keys,
            acks: _acks,
            images: _images,
        } = Client::start();
        drop(hints);
        assert_eq!(server.join().unwrap().0.unwrap(), Served::default());
        let Client {
            keys,
            server,
            hints: _hints,
            acks: _acks,
            images: _images,
        } = Client::start();
        drop(keys);
        assert_eq!(server.join().unwrap().0.unwrap(), Served::default());
    });
}

#[test]
fn a_request_cut_short_is_an_error() {
    within(20, || {
        let mut client = Client::start();
        client.keys.write_all(&[2; 31]).unwrap();
        let Client {
            hints: _hints,
            keys,
            server,
            ..
        } = client;
        drop(keys);
        let error = server.join().unwrap().0.unwrap_err();
        assert!(
            matches!(
                error,
                ServeError::Truncated {
                    channel: "pre-image"
                }
            ),
            "{error}"
        );

        let mut client = Client::start();
        client.hints.write_all(&[0, 0, 0, 2, b'a']).unwrap();
        let Client {
            hints,
            keys: _keys,
            server,
            ..
        } = client;
        drop(hints);
        let error = server.join().unwrap().0.unwrap_err();
        assert!(
            matches!(error, ServeError::Truncated { channel: "hint" }),
            "{error}"
        );
    });
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_last_hint() {
    within(20, || {
        let mut client = Client::start();
        client.hints.write_all(b"\0\0\0\x04l2 x").unwrap();
        client.ack();
        client.keys.write_all(&key(5, 0xee)).unwrap();
        // The server goes, so the client sees the end instead of an answer.
        assert_eq!(client.images.read(&mut [0]).unwrap(), 0);
        let message = client.end().0.unwrap_err().to_string();
        assert!(
            message.starts_with("no pre-image for 0x05eeee"),
            "{message}"
        );
        assert!(
            message.ends_with("ee (blob) (last hint: `l2 x`)"),
            "{message}"
        );
    });
}

#[test]
fn giant_hints_are_refused_and_lost_clients_are_no_failure() {
    within(20, || {
        let mut client = Client::start();
        client.hints.write_all(&[0xff; 4]).unwrap();
        let error = client.server.join().unwrap().0.unwrap_err();
        assert!(
            matches!(
                error,
                ServeError::HintTooLong {
                    length: 0xffff_ffff
                }
            ),
            "{error}"
        );

        // The client ends while the large answer is on its way.
        let mut client = Client::start();
        client.keys.write_all(&key(2, 2)).unwrap();
        client.images.read_exact(&mut [0; 100]).unwrap();
        assert_eq!(client.end().0.unwrap(), Served::default());
    });
}

#[test]
fn a_server_started_by_hand_says_so() {
    let files = "3</dev/null 4</dev/null 5</dev/null 6</dev/null";
    for (redirections, said) in [
        (
            "3<&- 4<&- 5<&- 6<&-",
            "descriptor 3 is not a pipe: Bad file descriptor",
        ),
        (files, "descriptor 3 is not a pipe: it is a CharacterDevice"),
    ] {
        let argv = again("serve", &format!("exec >/dev/null {redirections}"));
        let output = std::process::Command::new(&argv[0])
            .args(&argv[1..])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}
