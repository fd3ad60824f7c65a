//! What ports a program and its children keep open, as Linux tells it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The state of a listening socket in the system's table.
const LISTENS: &str = "0A";

/// The processes of this program, and everything that they started.
#[must_use]
pub fn family(program: &std::path::Path) -> BTreeSet<u32> {
    let runs = |id: &u32| fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == program);
    let parents = parents();
    let mut family: BTreeSet<u32> = parents.keys().copied().filter(runs).collect();
    loop {
        let before = family.len();
        let children: Vec<u32> =
            parents.iter().filter(|(_, parent)| family.contains(parent)).map(|(id, _)| *id).collect();
        family.extend(children);
        if family.len() == before {
            return family;
        }
    }
}

/// What a process has started and not yet seen the end of.
#[must_use]
pub fn children(process: u32) -> BTreeSet<u32> {
    parents().into_iter().filter(|(_, parent)| *parent == process).map(|(id, _)| id).collect()
}

/// Each process with the one that started it.
fn parents() -> BTreeMap<u32, u32> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let Ok(id) = entry.unwrap().file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process may end while it is looked at.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        parents.insert(id, parent.unwrap_or_default());
    }
    parents
}

/// TCP ports on which these processes take connections.
#[must_use]
pub fn listening(processes: &BTreeSet<u32>) -> BTreeSet<SocketAddr> {
    let open = inodes(processes);
    let tables = [("/proc/net/tcp", false), ("/proc/net/tcp6", true)];
    let mine = |row: &Row| row.state == LISTENS && open.contains(&row.inode);
    tables.into_iter().flat_map(|(path, six)| rows(path, six)).filter(mine).map(|row| row.local).collect()
}

/// UDP ports that these processes have bound.
#[must_use]
pub fn datagram(processes: &BTreeSet<u32>) -> BTreeSet<SocketAddr> {
    let open = inodes(processes);
    let tables = [("/proc/net/udp", false), ("/proc/net/udp6", true)];
    let all = tables.into_iter().flat_map(|(path, six)| rows(path, six));
    all.filter(|row| open.contains(&row.inode)).map(|row| row.local).collect()
}

struct Row {
    local: SocketAddr,
    state: String,
    inode: String,
}

fn rows(path: &str, six: bool) -> Vec<Row> {
    let table = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = words.get(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let local = SocketAddr::new(address_of(address, six)?, port);
        Some(Row { local, state: (*words.get(3)?).to_owned(), inode: (*words.get(9)?).to_owned() })
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// Groups of four bytes, each in the machine's order.
fn address_of(hex: &str, six: bool) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..hex.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    if six {
        Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into())
    } else {
        Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into())
    }
}

/// The sockets that these processes hold.
fn inodes(processes: &BTreeSet<u32>) -> BTreeSet<String> {
    let mut inodes = BTreeSet::new();
    for id in processes {
        // A process may end while it is looked at.
        for entry in fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let target = target.to_string_lossy().into_owned();
            if let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
                inodes.insert(inode.to_owned());
            }
        }
    }
    inodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn this_process_and_its_ports() {
        let family = family(&std::env::current_exe().unwrap());
        assert!(family.contains(&std::process::id()));
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let six = TcpListener::bind("[::1]:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let me = [std::process::id()].into();
        let listening = listening(&me);
        assert!(listening.contains(&four.local_addr().unwrap()), "{listening:?}");
        assert!(listening.contains(&six.local_addr().unwrap()), "{listening:?}");
        assert_eq!(datagram(&me), [udp.local_addr().unwrap()].into());
    }
}
