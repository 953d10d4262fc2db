"""Users of dbt-snowplow-web's integration fixtures: the package's expected output against ours."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from contracts.config import Identity, Namespace
from models.identity import customer_ids, resolve
from models.links import hash_links

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "snowplow_web"
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason=f"the fixtures of dbt-snowplow-web are not in {FOLDER}"
)
NAMES = ("user_id", "anonymous_id")
STITCHED = {"79831faefff0edc56d0d93ccf192b5bb58c07b", "37b340c11359852988ae9b4f77f0c4b283cf2d"}
NOT_EXPECTED = {
    "NULL domain_sessionid": "the package needs a session id",
    "NULL domain_userid": "the package needs a browser id; ours falls back to network_userid",
    "NULL page_view_id": "the package needs the id of a page view",
    "late arriving: device created/sent >3 days": "the package drops what was sent three days late",
    "stray page ping": "the package needs a page view in a session",
}


def people(identity: Identity) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Customers of the events of every session, and of every user_id."""
    events = duckdb.sql(
        f"""
        SELECT user_id, coalesce(domain_userid, network_userid) AS anonymous_id, domain_sessionid,
               coalesce(derived_tstamp, collector_tstamp)::TIMESTAMPTZ AS at
        FROM read_csv('{FOLDER}/source/snowplow_web_events.csv', all_varchar = true)
        """
    ).to_arrow_table()
    times = events["at"].cast(pa.timestamp("us", "UTC"))
    columns = {f"id_{name}": events[name] for name in NAMES}
    columns |= {"first_seen": times, "last_seen": times}
    columns["events"] = pa.chunked_array([pa.array([1] * len(events))])
    columns["_refused"] = pa.chunked_array([pa.nulls(len(events), pa.string())])
    links = hash_links(pa.table(columns), NAMES)
    found = resolve(lambda name: links[name].chunks, NAMES, identity)
    customers = customer_ids(found.link_customers).to_pylist()
    of_sessions, of_users = defaultdict(set), defaultdict(set)
    for row, customer in zip(events.to_pylist(), customers, strict=True):
        of_sessions[row["domain_sessionid"]].add(customer)
        of_users[row["user_id"]].add(customer)
    return of_sessions, of_users


def expected() -> list[tuple[str, str]]:
    """The package's sessions and the user each is stitched to."""
    path = FOLDER / "expected" / "snowplow_web_sessions_expected.csv"
    return duckdb.sql(
        f"SELECT domain_sessionid, stitched_user_id FROM read_csv('{path}', all_varchar = true)"
    ).fetchall()


def test_a_browser_that_is_one_person_gives_the_packages_users():
    """The package holds a browser for a person, whatever logins it sees: told so, ours stitches every
    session to the same people, also those of one login on rotating browser ids.
    """
    own = {"user_id": Namespace(personal=False), "anonymous_id": Namespace(personal=False)}
    of_sessions, _ = people(Identity(namespaces=own))
    pairs = {(user, *of_sessions[session]) for session, user in expected()}
    assert len(pairs) == 10
    assert len({user for user, _ in pairs}) == len({customer for _, customer in pairs}) == 10
    users = FOLDER / "expected" / "snowplow_web_users_expected.csv"
    assert duckdb.sql(
        f"SELECT count(*) FROM read_csv('{users}', all_varchar = true)"
    ).fetchall() == [(10,)]


def test_by_default_ten_logins_are_ten_people():
    """The only difference: two sessions in which a browser sees ten logins. The package gives both to
    the last; ours keeps ten people, whose events these are.
    """
    of_sessions, of_users = people(Identity())
    differing = {s for s, user in expected() if of_sessions[s] != of_users[user]}
    assert {session[:38] for session in differing} == STITCHED
    assert sorted(len(of_sessions[session]) for session in differing) == [2, 8]
    logins = [user for user in of_users if user.startswith("user stitch")]
    assert len({customer for user in logins for customer in of_users[user]}) == len(logins) == 10


def test_who_is_ours_alone_is_who_the_package_leaves_out():
    """Five users are in no expected session, each for a reason of the package; identity keeps them."""
    _, of_users = people(Identity())
    stitched = {user for _, user in expected()}
    alone = {u for u in of_users if u not in stitched and not u.startswith("user stitch")}
    assert alone == set(NOT_EXPECTED)
    assert all(len(of_users[user]) == 1 for user in alone)
