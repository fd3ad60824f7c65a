//! F2: bencode (BEP 3). What is decoded is written again byte for byte, so that an infohash has one meaning.

use release::bencode::{Value, Writer};

/// One value from the first bytes, and what follows it left alone.
pub(crate) fn run(data: &[u8]) {
    let Ok((value, rest)) = Value::decode_prefix(data) else { return };
    let taken = &data[..data.len() - rest.len()];
    let mut out = Writer::new();
    write(&value, &mut out);
    assert_eq!(out.finish(), taken, "decoded and written again");
    assert_eq!(Value::decode(data).is_ok(), rest.is_empty(), "a whole is a prefix without a rest");
}

fn write(value: &Value<'_>, out: &mut Writer) {
    match value {
        Value::Integer(number) => drop(out.integer(*number)),
        Value::Bytes(bytes) => drop(out.bytes(bytes)),
        Value::List(items) => {
            out.list();
            items.iter().for_each(|item| write(item, out));
            out.end();
        }
        Value::Dict(dict) => {
            let start = out.dict();
            for (key, value) in dict.entries() {
                start.bytes(key);
                write(value, start);
                assert_eq!(
                    dict.find(&String::from_utf8_lossy(key)).is_some(),
                    std::str::from_utf8(key).is_ok()
                );
            }
            start.end();
        }
    }
}
