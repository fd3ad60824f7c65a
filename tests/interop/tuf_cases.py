"""The attacks: each a function that plays a few loads of one player, honest ones and hostile ones.

T1 honest updates and rotations: the first four cases. T2 rollback: older_*, version_said_twice_*, newer_timestamp_*.
T3 false targets: changed_target, target_of_fifty_megabytes. T4 endless documents: *_of_eighty_megabytes, *_longer_than_*.
T5 mix-and-match: *_mixed_in, targets_left_out_*. T6 wrong keys: another_publishers_*, *_signed_by_*, snapshot_served_*,
signature_of_nothing. T7 expiry: expired_documents. T8 thresholds: root_signed_*, root_in_which_*, key_under_a_name_*.
T9 versions of roots: root_that_*. T10 names that leave the folder: target_whose_name_*. T11 fast-forward: fast_forward_*.
T12 nesting and nonsense: deeply_nested_*, documents_that_are_no_documents, delegated_targets. T13 revoked keys: revoked_*.
T14 clocks: clock_*. T15 torn state: torn_state_*. T16 an origin that fails: next_root_*, other_documents_*.
"""

import copy
import json

from tuf_forge import NOW, Key, Studio, day, document, encode, key_id, listed, role

GAME = "game~live.json"
ALL = []


class Case:
    """The loads of one player, in order."""

    def __init__(self, folder):
        self.folder, self.steps, self.studios = folder, [], 0
        self.root = folder / "root.json"

    def studio(self, name="studio"):
        """A repository; the first one's root is what the player trusts."""
        self.studios += 1
        studio = Studio(self.folder / f"work-{self.studios}", name)
        if self.studios == 1:
            self.root.write_bytes(studio.read("1.root.json"))
        return studio

    def taken(self, studio):
        """What a thief took away: repository and keys."""
        self.studios += 1
        return studio.copied(self.folder / f"work-{self.studios}")

    def load(self, studio, right="OK", now=0, faults=None, targets=(), spoil=None, tear=False, differs=None):
        repo = studio.copied(self.folder / f"repo-{len(self.steps) + 1}")
        if spoil:
            spoil(repo)
        self.steps.append({
            "repo": str(repo.folder),
            "now": NOW.isoformat() if now == 0 else day(now).replace("Z", "+00:00"),
            "right": right,
            "faults": faults or {},
            "targets": list(targets),
            "tear": tear,
            "differs": differs,
        })

    def plan(self, name):
        return {"name": name, "root": str(self.root), "folder": str(self.folder), "steps": self.steps}


def case(make):
    ALL.append(make)
    return make


@case
def fresh_player(it):
    it.load(it.studio(), targets=[GAME])


@case
def update_of_a_player_that_was_there(it):
    studio = it.studio()
    it.load(studio)
    studio.publish({GAME: b"second release", "game~2.manifest": b"files"})
    it.load(studio, targets=[GAME, "game~2.manifest"])


@case
def online_key_replaced(it):
    studio = it.studio()
    it.load(studio)
    studio.next_root(online=[Key("online 2")])
    studio.refresh()
    it.load(studio, targets=[GAME])


@case
def every_root_key_replaced_in_two_steps(it):
    studio = it.studio()
    it.load(studio)
    first = studio.keys["root"]
    fresh = [Key(f"new root {number}") for number in (1, 2, 3)]
    studio.next_root(root=[first[0], fresh[0], fresh[1]])
    studio.next_root(root=fresh)
    it.load(studio, targets=[GAME])


@case
def older_repository(it):
    studio = it.studio()
    old = it.taken(studio)
    studio.publish({GAME: b"second release"})
    it.load(studio)
    it.load(old, "META_ROLLBACK")
    it.load(studio, targets=[GAME])


@case
def older_snapshot_behind_a_newer_timestamp(it):
    studio = it.studio()
    old = it.taken(studio)
    studio.refresh()
    it.load(studio)
    old.versions["timestamp"] += 5
    old.stamp()
    it.load(old, "META_ROLLBACK")


@case
def older_targets_behind_a_newer_snapshot(it):
    studio = it.studio()
    old = it.taken(studio)
    studio.publish({GAME: b"second release"})
    it.load(studio)
    old.versions.update(snapshot=9, timestamp=9)
    old.refresh()
    it.load(old, "META_ROLLBACK")


@case
def targets_left_out_of_the_snapshot(it):
    studio = it.studio()
    it.load(studio)
    studio.versions["snapshot"] += 1
    studio.sign("snapshot", {"meta": {"other.json": {"version": 1}}})
    studio.stamp()
    it.load(studio, "META_INVALID")


@case
def version_said_twice_with_other_content(it):
    studio = it.studio()
    it.load(studio)
    thief = it.taken(studio)
    thief.versions["timestamp"] -= 1
    thief.publish({GAME: b"not seen"})
    it.load(thief, differs="a timestamp of the version that is known: python-tuf keeps the one it has, and "
            "tough takes the new one, which the same key signed and which rolls nothing back")


@case
def newer_timestamp_seen_and_then_an_older_one(it):
    studio = it.studio()
    old = it.taken(studio)
    studio.refresh()
    it.load(studio, "ORIGIN_NOT_FOUND", spoil=lambda repo: repo.path(repo.file("snapshot")).unlink())
    it.load(old, "META_ROLLBACK")
    it.load(studio)


@case
def changed_target(it):
    studio = it.studio()
    it.load(studio, "META_SIGNATURE", targets=[GAME],
            spoil=lambda repo: repo.target(GAME).write_bytes(b"fIrst release"))


@case
def target_of_fifty_megabytes(it):
    studio = it.studio()
    it.load(studio, "META_SIZE", targets=[GAME], spoil=lambda repo: repo.grow(repo.target(GAME), 50 << 20))


@case
def timestamp_of_eighty_megabytes(it):
    studio = it.studio()
    it.load(studio, "META_SIZE", spoil=lambda repo: repo.grow(repo.path("timestamp.json"), 80 << 20))
    it.load(studio)


@case
def next_root_of_eighty_megabytes(it):
    studio = it.studio()
    it.load(studio, "META_SIZE", spoil=lambda repo: repo.grow(repo.path("2.root.json"), 80 << 20))


@case
def snapshot_longer_than_was_signed(it):
    studio = it.studio()
    it.load(studio, "META_SIZE", spoil=lambda repo: repo.grow(repo.path("1.snapshot.json"), 80 << 20))


@case
def targets_longer_than_was_signed(it):
    studio = it.studio()
    it.load(studio, "META_SIZE", spoil=lambda repo: repo.grow(repo.path("1.targets.json"), 80 << 20))


@case
def targets_of_another_release_mixed_in(it):
    studio = it.studio()
    old = it.taken(studio)
    studio.publish({GAME: b"second release"})
    it.load(studio, "META_SIGNATURE",
            spoil=lambda repo: repo.write(repo.file("targets"), padded(old.read("1.targets.json"), repo)))


def padded(data, repo):
    """As long as what was signed, so that not its length gives it away."""
    return data.ljust(repo.path(repo.file("targets")).stat().st_size)


@case
def snapshot_of_another_release_mixed_in(it):
    studio = it.studio()
    old = it.taken(studio)
    studio.publish({GAME: b"second release"})
    it.load(studio, "META_SIGNATURE",
            spoil=lambda repo: repo.write(repo.file("snapshot"), old.read("1.snapshot.json")))


@case
def another_publishers_repository(it):
    it.studio()
    it.load(it.studio("somebody else"), "META_SIGNATURE")


@case
def timestamp_signed_by_a_stranger(it):
    studio = it.studio()
    it.load(studio, "META_SIGNATURE", spoil=lambda repo: forged(repo, "timestamp", [Key("stranger")]))


@case
def targets_signed_by_the_online_key(it):
    studio = it.studio()
    thief = it.taken(studio)
    thief.keys["targets"] = thief.keys["online"]
    thief.publish({GAME: b"the thief's own"})
    it.load(thief, "META_SIGNATURE")


@case
def snapshot_served_as_timestamp(it):
    studio = it.studio()
    it.load(studio, "META_SIGNATURE",
            spoil=lambda repo: repo.write("timestamp.json", repo.read("1.snapshot.json")),
            differs="both refuse; tough signs the role's name into what it verifies and calls it a false signature")


@case
def expired_documents(it):
    studio = it.studio()
    it.load(studio)
    for name, life in (("timestamp", 14), ("snapshot", 30), ("targets", 90), ("root", 365)):
        others = {key: 1000 for key in studio.life} | {name: life}
        studio.life.update(others)
        if name == "root":
            studio.next_root()
        studio.publish()
        it.load(studio, now=life - 1)
        it.load(studio, "META_EXPIRED", now=life)
    studio.life["root"] = 900
    studio.next_root()
    it.load(studio, now=500)


@case
def root_signed_by_one_of_three(it):
    studio = it.studio()
    it.load(studio)
    studio.next_root(signers=studio.keys["root"][:1])
    it.load(studio, "META_SIGNATURE")


@case
def root_signed_by_the_new_keys_only(it):
    studio = it.studio()
    it.load(studio)
    fresh = [Key(f"new root {number}") for number in (1, 2, 3)]
    studio.next_root(signers=fresh[:2], root=fresh)
    it.load(studio, "META_SIGNATURE")


@case
def root_signed_by_the_old_keys_only(it):
    studio = it.studio()
    it.load(studio)
    fresh = [Key(f"new root {number}") for number in (1, 2, 3)]
    studio.next_root(signers=studio.keys["root"][:2], root=fresh)
    it.load(studio, "META_SIGNATURE")


@case
def root_signed_twice_by_one_key(it):
    studio = it.studio()
    it.load(studio)
    one = studio.keys["root"][0]
    studio.next_root(signers=[one, one])
    it.load(studio, "META_SIGNATURE", differs="both refuse; python-tuf calls a key that is named twice unreadable")


@case
def root_in_which_one_key_has_two_names(it):
    studio = it.studio()
    it.load(studio)
    twice = copy.deepcopy(studio.keys["root"][0])
    twice.public["keyval"]["note"] = "the same key again"
    twice.id = key_id(twice.public)
    thieves = [studio.keys["root"][0], twice, Key("never used")]
    studio.next_root(root=thieves)
    studio.next_root(signers=thieves[:2])
    # It was duly signed: two of three agreed to it. It is the ceremony that must not let them.
    it.load(studio)


@case
def key_under_a_name_that_is_not_its_hash(it):
    studio = it.studio()
    it.load(studio)
    studio.keys["online"][0].id = "0" * 64
    studio.next_root()
    studio.refresh()
    it.load(studio, "META_INVALID",
            differs="the specification (4.2) has clients compute each key's name; python-tuf does not")


@case
def root_that_skips_a_version(it):
    studio = it.studio()
    it.load(studio)
    studio.next_root()
    studio.next_root()
    studio.path("3.root.json").rename(studio.path("2.root.json"))
    it.load(studio, "META_ROLLBACK")


@case
def root_that_is_the_old_one_again(it):
    studio = it.studio()
    it.load(studio)
    it.load(studio, "META_ROLLBACK", spoil=lambda repo: repo.write("2.root.json", repo.read("1.root.json")))


@case
def target_whose_name_leaves_the_folder(it):
    studio = it.studio()
    for name in ("../../evil.txt", "/evil.txt", "a/../../../evil.txt"):
        studio.targets = {name: b"evil"}
        studio.publish()
        it.load(studio, "META_INVALID", targets=[name], differs="a name like this is refused with all that is "
                "signed beside it; python-tuf takes it and quotes the name of the file that it writes")


@case
def fast_forward_and_its_recovery(it):
    studio = it.studio()
    it.load(studio)
    thief = it.taken(studio)
    thief.versions.update(snapshot=10**6, timestamp=10**6)
    thief.refresh()
    it.load(thief)
    it.load(studio, "META_ROLLBACK")
    studio.next_root(online=[Key("online 2")])
    studio.refresh()
    it.load(studio, targets=[GAME])


@case
def fast_forward_with_the_targets_key_too(it):
    studio = it.studio()
    it.load(studio)
    thief = it.taken(studio)
    thief.versions.update(targets=10**6, snapshot=10**6, timestamp=10**6)
    thief.publish({GAME: b"the thief's own"})
    it.load(thief)
    studio.next_root(online=[Key("online 2")], targets=[Key("targets 2")])
    studio.publish()
    it.load(studio, targets=[GAME])


@case
def deeply_nested_timestamp(it):
    studio = it.studio()
    deep = b'{"signed":' + b"[" * 6000 + b"]" * 6000 + b',"signatures":[]}'
    it.load(studio, "META_INVALID", spoil=lambda repo: repo.write("timestamp.json", deep))
    it.load(studio, "META_SIZE", spoil=lambda repo: repo.write("timestamp.json", b"[" * 200_000 + b"]" * 200_000))
    it.load(studio)


@case
def revoked_key_with_the_new_root_hidden(it):
    studio = it.studio()
    thief = it.taken(studio)
    studio.next_root(online=[Key("online 2")])
    studio.refresh()
    it.load(studio)
    for _ in range(5):
        thief.refresh()
    it.load(thief, "META_SIGNATURE")
    it.load(studio)


@case
def revoked_targets_key_with_the_new_root_hidden(it):
    studio = it.studio()
    thief = it.taken(studio)
    studio.next_root(targets=[Key("targets 2")])
    studio.publish()
    it.load(studio)
    thief.publish({GAME: b"the thief's own"})
    thief.publish()
    thief.publish()
    it.load(thief, "META_SIGNATURE")


@case
def clock_that_jumped_and_was_corrected(it):
    studio = it.studio()
    it.load(studio)
    it.load(studio, "META_EXPIRED", now=14 * 365)
    it.load(studio, targets=[GAME])


@case
def clock_that_is_behind(it):
    it.load(it.studio(), now=-6 * 365, targets=[GAME])


@case
def next_root_forbidden_or_absent(it):
    studio = it.studio()
    for status in ("403", "404"):
        it.load(studio, faults={"metadata/2.root.json": status})


@case
def next_root_that_does_not_come(it):
    studio = it.studio()
    it.load(studio)
    for fault in ("500", "503", "timeout"):
        it.load(studio, faults={"metadata/2.root.json": fault},
                differs="an origin that fails is not an attack that 404 would not be: we go on, and say ROOT_UNCHECKED")


@case
def other_documents_that_do_not_come(it):
    studio = it.studio()
    it.load(studio, "NETWORK", faults={"metadata/timestamp.json": "500"})
    it.load(studio, "NETWORK", faults={"metadata/1.snapshot.json": "timeout"})
    it.load(studio, "ORIGIN_NOT_FOUND", faults={"metadata/1.targets.json": "404"})
    it.load(studio, targets=[GAME])


@case
def torn_state_and_then_a_rollback(it):
    studio = it.studio()
    old = it.taken(studio)
    studio.publish({GAME: b"second release"})
    it.load(studio)
    it.load(old, tear=True, differs="of python-tuf's four files the others still tell; ours is one, replaced in one "
            "step, and when something else tears it we say TRUST_STATE_MISSING")
    it.load(studio)


@case
def delegated_targets(it):
    studio = it.studio()
    helper = Key("helper")
    delegations = {"keys": {helper.id: helper.public},
                   "roles": [{"name": "helper", "paths": ["*"], "terminating": False, **role([helper])}]}
    delegated = {"_type": "targets", "spec_version": "1.0.0", "version": 1, "expires": day(90), "targets": {}}
    data = encode(document(delegated, [helper]))
    studio.write("1.helper.json", data)
    studio.versions["targets"] += 1
    studio.sign("targets", {"targets": {}}, delegations=delegations)
    studio.versions["snapshot"] += 1
    meta = {"targets.json": studio.entry("targets"), "helper.json": listed(1, data)}
    studio.sign("snapshot", {"meta": meta})
    studio.stamp()
    it.load(studio, "META_INVALID", differs="our repositories have no delegations, and one that has is not ours")


@case
def documents_that_are_no_documents(it):
    studio = it.studio()
    for data in (b"", b"null", b"[]", b"{}", b'{"signed":{},"signatures":[]}', b"\xff\xfe", studio.read("timestamp.json")[:90]):
        it.load(studio, "META_INVALID", spoil=lambda repo, data=data: repo.write("timestamp.json", data))
        it.load(studio, "META_INVALID", spoil=lambda repo, data=data: repo.write("2.root.json", data))


@case
def signature_of_nothing(it):
    studio = it.studio()
    it.load(studio, "META_SIGNATURE", spoil=lambda repo: unsigned(repo, "timestamp.json"))


def unsigned(repo, file):
    content = json.loads(repo.read(file))
    repo.write(file, encode(content | {"signatures": []}))


def forged(repo, name, keys):
    repo.write(repo.file(name), encode(document(repo.signed(repo.file(name)), keys)))
