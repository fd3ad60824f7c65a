//! A small internet on this machine: one network namespace a node, all on one bridge, each link shaped.
//!
//! Every node has a pair of virtual interfaces: `eth0` inside, and its port at the bridge, which lies in a namespace of
//! its own. A token bucket (`tbf`, a queue of 100 ms) shapes each direction: what the node sends at `eth0`, what it
//! receives at the port. Both count whole Ethernet frames (payload, TCP, IP and the 14 bytes of Ethernet), and so do
//! the counters; segmentation offload is off, so one packet is one frame and none is counted short. There is no delay
//! besides the queues. Addresses are private and reach nothing but this world. Everything goes when the world is
//! dropped; what a run that was killed left behind goes when the next world is made.

use crate::{
    failure::{AtPath, Failure},
    process::{capture, command},
};
use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

/// How much a link's queue holds, as time at its rate.
const QUEUE: &str = "100ms";
/// How far a token bucket may run ahead of its rate: some frames, or, so that a fast link is not slowed by a late timer,
/// what it carries in this part of a second.
const BURST_BYTES_MIN: u64 = 16 * 1024;
const BURST_PARTS: u64 = 200;
/// The first words of every namespace's name; the process id and the node follow.
const PREFIX: &str = "muster-bench-";

/// What a link carries, in bytes of Ethernet frames a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// From the node.
    pub(crate) up: u64,
    /// To the node.
    pub(crate) down: u64,
}

/// A namespace with one address.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    name: String,
    port: String,
    /// Its address in the world.
    pub(crate) ip: String,
}

impl Node {
    /// A program that will see this node's network and no other.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        // `ip` becomes the program: the child's id is the program's own.
        let mut inside = command("ip");
        inside.args(["netns", "exec", &self.name]).arg(program);
        inside
    }
}

/// What went over a link so far, as the bridge's port counts it: after the shaping, whole frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Bytes that the node sent.
    pub(crate) sent: u64,
    /// Frames that the node sent.
    pub(crate) sent_frames: u64,
    /// Bytes that the node received.
    pub(crate) received: u64,
    /// Frames that the node received.
    pub(crate) received_frames: u64,
}

/// The bridge and its nodes.
#[derive(Debug)]
pub(crate) struct World {
    /// In the bridge's namespace, unshaped: for a tracker.
    pub(crate) middle: Node,
    /// In the order of the links given.
    pub(crate) nodes: Vec<Node>,
}

impl World {
    /// One node a link; `None` is a link without a limit. Needs root.
    pub(crate) fn new(links: &[Option<Link>]) -> Result<Self, Failure> {
        remove_leftovers()?;
        let named = |rest: &str| format!("{PREFIX}{}-{rest}", std::process::id());
        let middle = Node { name: named("middle"), port: "bridge".to_owned(), ip: address(1) };
        let node = |index: usize| Node {
            name: named(&index.to_string()),
            port: format!("port{index}"),
            ip: address(index + 10),
        };
        // Made first, so that a failure half-way removes whatever stands.
        let world = Self { middle, nodes: (0..links.len()).map(node).collect() };
        world.connect(links)?;
        Ok(world)
    }

    fn connect(&self, links: &[Option<Link>]) -> Result<(), Failure> {
        let bridge = &self.middle.name;
        let mut outside = format!("netns add {bridge}\n");
        let mut middle = format!(
            "link set lo up\nlink add bridge type bridge mcast_snooping 0\nlink set bridge up\naddr add {}/16 dev bridge\n",
            self.middle.ip
        );
        for Node { name, port, .. } in &self.nodes {
            outside += &format!("netns add {name}\n");
            // Made where it belongs, so that two worlds never meet in the machine's own namespace.
            middle += &format!("link add {port} type veth peer name eth0 netns {name}\n");
            middle += &format!("link set {port} master bridge gso_max_segs 1\nlink set {port} up\n");
        }
        batch(&["-batch", "-"], &outside)?;
        quiet_ipv6(bridge)?;
        batch(&["-n", bridge, "-batch", "-"], &middle)?;
        let mut ports = String::new();
        for (Node { name, port, ip }, link) in self.nodes.iter().zip(links) {
            quiet_ipv6(name)?;
            let inside = format!(
                "link set lo up\nlink set eth0 gso_max_segs 1\nlink set eth0 up\naddr add {ip}/16 dev eth0\n"
            );
            batch(&["-n", name, "-batch", "-"], &inside)?;
            let Some(link) = link else { continue };
            let shape = |device: &str, rate: u64| {
                let burst = BURST_BYTES_MIN.max(rate / BURST_PARTS);
                format!("qdisc add dev {device} root tbf rate {rate}bps burst {burst} latency {QUEUE}\n")
            };
            feed(command("tc").args(["-n", name, "-batch", "-"]), &shape("eth0", link.up))?;
            ports += &shape(port, link.down);
        }
        feed(command("tc").args(["-n", bridge, "-batch", "-"]), &ports)
    }

    /// What each node's link carried so far. `inside` is the id of any program that runs in the middle.
    pub(crate) fn carried(&self, inside: u32) -> Result<Vec<Carried>, Failure> {
        let path = format!("/proc/{inside}/net/dev");
        let devices = read_devices(&std::fs::read_to_string(&path).at(&path)?);
        Ok(self.nodes.iter().map(|node| devices.get(&node.port).copied().unwrap_or_default()).collect())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for node in self.nodes.iter().chain([&self.middle]) {
            let mut delete = command("ip");
            let _absent_when_half_made =
                delete.args(["netns", "delete", &node.name]).stderr(Stdio::null()).status();
        }
    }
}

fn address(host: usize) -> String {
    format!("10.77.{}.{}", host / 250, host % 250 + 1)
}

/// No router solicitations and the like in the counters.
fn quiet_ipv6(namespace: &str) -> Result<(), Failure> {
    let off = "for c in all default; do echo 1 > /proc/sys/net/ipv6/conf/$c/disable_ipv6; done";
    capture(command("ip").args(["netns", "exec", namespace, "sh", "-c", off])).map(drop)
}

/// Each device's counters; for a port, what it received is what its node sent.
fn read_devices(table: &str) -> BTreeMap<String, Carried> {
    let row = |line: &str| {
        let (name, figures) = line.split_once(':')?;
        let figures: Vec<u64> = figures.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let carried = Carried {
            sent: *figures.first()?,
            sent_frames: *figures.get(1)?,
            received: *figures.get(8)?,
            received_frames: *figures.get(9)?,
        };
        Some((name.trim().to_owned(), carried))
    };
    table.lines().filter_map(row).collect()
}

/// Removes the namespaces of benches whose process is gone.
fn remove_leftovers() -> Result<(), Failure> {
    let mut gone = String::new();
    for name in capture(command("ip").args(["netns", "list"]))?.lines() {
        let name = name.split(' ').next().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|id| !std::path::Path::new("/proc").join(id).exists()) {
            gone += &format!("netns delete {name}\n");
        }
    }
    if gone.is_empty() { Ok(()) } else { batch(&["-batch", "-"], &gone) }
}

fn batch(words: &[&str], lines: &str) -> Result<(), Failure> {
    feed(command("ip").args(words), lines)
}

/// Runs a program with `lines` as its input.
fn feed(program: &mut Command, lines: &str) -> Result<(), Failure> {
    let name = format!("{program:?}");
    let mut child = program
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|source| Failure::NotStarted { program: name.clone(), source })?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(lines.as_bytes()).at(&name)?;
    }
    let status = child.wait().at(&name)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Ended { program: name, how: format!("ended with {status}, given:\n{lines}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_port_received_is_what_its_node_sent() {
        let table = "Inter-|   Receive\n face |bytes    packets\n    lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n \
                     port3: 8995960    5954    0    0    0     0          0         0   202360    3060 0 0 0 0 0 0\n";
        let wanted = Carried { sent: 8_995_960, sent_frames: 5954, received: 202_360, received_frames: 3060 };
        assert_eq!(read_devices(table).get("port3"), Some(&wanted));
    }

    #[test]
    fn a_world_carries_only_its_own_and_leaves_nothing_needs_root() -> Result<(), Failure> {
        let link = Link { up: 1 << 20, down: 1 << 20 };
        let world = World::new(&[Some(link), None])?;
        // Nobody listens: whoever is reached refuses.
        let answer = |to: &str| -> Result<String, Failure> {
            let knock = format!("exec 2>&1; exec 3<>/dev/tcp/{to}/9; true");
            capture(world.nodes[0].command("bash").args(["-c", &format!("({knock}) || true")]))
        };
        let (neighbour, stranger) = (answer(&world.nodes[1].ip)?, answer("192.0.2.1")?);
        assert!(neighbour.contains("refused"), "its nodes reach each other: {neighbour}");
        assert!(stranger.contains("unreachable"), "and nobody else: {stranger}");
        drop(world);
        let left = capture(command("ip").args(["netns", "list"]))?;
        assert!(!left.contains(&format!("{PREFIX}{}-", std::process::id())), "{left}");
        Ok(())
    }
}
