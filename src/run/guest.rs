//! The guest's output as log lines (`mipsevm/logw.go`).

use crate::log::{Level, Logger, Value};
use carronade_emulator::step::{GuestOutput, Stream};

/// Logs each piece of output as text, or as hex if it is not printable ASCII.
pub struct GuestLog(pub Logger);

impl GuestOutput for GuestLog {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let printable = |byte: &u8| matches!(byte, 0x20..0x7f | b'\n' | b'\t');
        let (key, value) = if bytes.iter().all(printable) {
            ("text", String::from_utf8_lossy(bytes).into_owned())
        } else {
            ("data", const_hex::encode_prefixed(bytes))
        };
        let fields = [
            ("module", "guest".into()),
            ("stream", name.into()),
            (key, Value::Text(value)),
        ];
        self.0.log(Level::Info, "", &fields);
    }
}
