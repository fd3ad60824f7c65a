//! The npm packages that the launcher's window is made of. What of a package ends up in it the lock file does not tell, so all
//! that are not there for building and testing alone are listed, with what they bring.

use super::unexpected;
use crate::{
    failure::{AtPath as _, Failure},
    place,
};
use serde_json::{Value, json};

/// A component for each of them.
pub(super) fn components() -> Result<Vec<Value>, Failure> {
    let path = place::root().join("ui/package-lock.json");
    let text = std::fs::read_to_string(&path).at(&path)?;
    let lock: Value =
        serde_json::from_str(&text).map_err(|error| unexpected(&format!("package-lock.json: {error}")))?;
    let packages =
        lock["packages"].as_object().ok_or_else(|| unexpected("package-lock.json lists no packages"))?;
    let mut components = Vec::new();
    for (place, package) in packages {
        // Nested ones lie below the one that wanted another version.
        let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
        if package["dev"] != true && package["optional"] != true {
            components.push(component(name, package)?);
        }
    }
    Ok(components)
}

fn component(name: &str, package: &Value) -> Result<Value, Failure> {
    let text =
        |field: &str| package[field].as_str().ok_or_else(|| unexpected(&format!("{name} has no {field}")));
    let version = text("version")?;
    let purl = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
    let sum = text("integrity")?.strip_prefix("sha512-").and_then(hex_of_base64);
    let sum = sum.ok_or_else(|| unexpected(&format!("{name} has no SHA-512")))?;
    Ok(json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "licenses": [licence(package)],
        "scope": "required",
        "purl": purl,
        "hashes": [{ "alg": "SHA-512", "content": sum }],
    }))
}

fn licence(package: &Value) -> Value {
    match package["license"].as_str() {
        Some(expression) => json!({ "expression": expression }),
        None => json!({ "license": { "name": "not stated in its package.json" } }),
    }
}

/// Base64 (RFC 4648) in hexadecimal digits.
fn hex_of_base64(text: &str) -> Option<String> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.trim_end_matches('=').chars() {
        bits = bits << 6 | u32::try_from(LETTERS.find(letter)?).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            out += &format!("{:02x}", bits >> held & 0xff);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_becomes_hexadecimal() {
        assert_eq!(super::hex_of_base64("bXVzdGVyIQ==").as_deref(), Some("6d757374657221"));
        assert_eq!(super::hex_of_base64("b?"), None);
    }
}
