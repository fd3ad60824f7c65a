//! A few machines on local networks, each a network namespace; gone when the world is dropped. Needs root.
//!
//! Each segment is a bridge. A router between them forwards what has an address, as at home or in a company, but no
//! multicast: who is on another segment can be reached, and is not on the local network.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// Numbers the worlds of this process.
static WORLDS: AtomicU32 = AtomicU32::new(0);

/// Which addresses the machines have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `10.77.<segment>.<machine>`.
    V4,
    /// `fd77:0:0:<segment>::<machine>`, and nothing else.
    V6,
}

/// The router and the machines around it.
#[derive(Debug)]
pub struct World {
    router: String,
    /// By segment.
    pub machines: Vec<Vec<Machine>>,
}

/// A machine.
#[derive(Debug, Clone)]
pub struct Machine {
    name: String,
    /// Its address.
    pub ip: String,
}

impl World {
    /// As many machines on each segment as `segments` says.
    #[must_use]
    pub fn new(family: Family, segments: &[usize]) -> Self {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("muster-lan-{}-{number}", std::process::id());
        let machine = |segment: usize, index: usize| Machine {
            name: format!("{prefix}-{segment}-{index}"),
            ip: address(family, segment, index + 2),
        };
        let machines = segments.iter().enumerate();
        let machines =
            machines.map(|(segment, count)| (0..*count).map(|index| machine(segment, index)).collect());
        // Made first, so that a failure half-way removes whatever stands.
        let world = Self { router: format!("{prefix}-router"), machines: machines.collect() };
        world.build(family);
        world
    }

    fn build(&self, family: Family) {
        let (bits, v6) = match family {
            Family::V4 => (24, false),
            Family::V6 => (64, true),
        };
        add(&self.router, v6);
        set(&self.router, if v6 { "ipv6/conf/all/forwarding" } else { "ipv4/ip_forward" }, 1);
        for (segment, machines) in self.machines.iter().enumerate() {
            let bridge = format!("br{segment}");
            let gateway = address(family, segment, 1);
            ip(&self.router, &format!("link add {bridge} type bridge mcast_snooping 0"));
            ip(&self.router, &format!("addr add {gateway}/{bits} dev {bridge}{}", dad(v6)));
            ip(&self.router, &format!("link set {bridge} up"));
            for (index, machine) in machines.iter().enumerate() {
                add(&machine.name, v6);
                let port = format!("p{segment}-{index}");
                let name = &machine.name;
                ip(&self.router, &format!("link add {port} type veth peer name eth0 netns {name}"));
                ip(&self.router, &format!("link set {port} master {bridge} up"));
                ip(name, &format!("addr add {}/{bits} dev eth0{}", machine.ip, dad(v6)));
                ip(name, "link set eth0 up");
                ip(name, &format!("route add default via {gateway}"));
            }
        }
    }
}

impl World {
    /// What all segments have in common, by its address in the first.
    #[must_use]
    pub fn router(&self, family: Family) -> Machine {
        Machine { name: self.router.clone(), ip: address(family, 0, 1) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let names = self.machines.iter().flatten().map(|machine| &machine.name);
        for name in names.chain([&self.router]) {
            let mut delete = Command::new("ip");
            // One that was never made is no loss.
            let _ended = delete.args(["netns", "delete", name]).stderr(Stdio::null()).status();
        }
    }
}

impl Machine {
    /// The same command, on this machine.
    #[must_use]
    pub fn run(&self, command: &Command) -> Command {
        // `ip` becomes the program: the child's id is the program's own.
        let mut here = Command::new("ip");
        here.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => here.env(name, value),
                None => here.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            here.current_dir(dir);
        }
        here
    }
}

fn address(family: Family, segment: usize, host: usize) -> String {
    match family {
        Family::V4 => format!("10.77.{segment}.{host}"),
        Family::V6 => format!("fd77:0:0:{segment}::{host:x}"),
    }
}

/// No wait for duplicates: nobody else is there.
fn dad(v6: bool) -> &'static str {
    if v6 { " nodad" } else { "" }
}

/// A namespace with a loopback interface, and without IPv6 unless wanted.
fn add(name: &str, v6: bool) {
    done(Command::new("ip").args(["netns", "add", name]));
    let disabled = u8::from(!v6);
    set(name, "ipv6/conf/all/disable_ipv6", disabled);
    set(name, "ipv6/conf/default/disable_ipv6", disabled);
    ip(name, "link set lo up");
}

fn ip(namespace: &str, words: &str) {
    let mut command = Command::new("ip");
    if words.contains("fd77") {
        command.arg("-6");
    }
    done(command.args(["-n", namespace]).args(words.split(' ')));
}

/// One of the kernel's settings below `net`, for a namespace alone.
fn set(namespace: &str, name: &str, value: u8) {
    let write = format!("echo {value} > /proc/sys/net/{name}");
    done(Command::new("ip").args(["netns", "exec", namespace, "sh", "-c", &write]));
}

fn done(command: &mut Command) {
    let output = command.output();
    let ended =
        output.unwrap_or_else(|error| panic!("network namespaces need iproute2: {command:?}: {error}"));
    assert!(
        ended.status.success(),
        "network namespaces cannot be made, for which this test needs root: {command:?}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
}
