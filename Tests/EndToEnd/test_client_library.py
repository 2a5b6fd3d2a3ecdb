"""python-consul works against an agent in development mode."""
import contextlib, time

try:
    import consul
except ImportError:
    consul = None  # in a Python that only asks for the names of the tests

from agent import eventually, running

EVERY_CLIENT = True


@contextlib.contextmanager
def client():
    """An agent, and the library's client of it."""
    with running(dev=True) as agent:
        yield agent, consul.Consul(host="127.0.0.1", port=agent.http_port)


def test_keys():
    with client() as (agent, c):
        assert c.kv.put("web/a", "1", flags=42)
        index, row = c.kv.get("web/a")
        assert row["Value"] == b"1" and row["Flags"] == 42 and row["ModifyIndex"] == row["CreateIndex"]
        assert not c.kv.put("web/a", "2", cas=row["ModifyIndex"] + 1000)
        assert c.kv.put("web/a", "2", cas=row["ModifyIndex"])
        assert c.kv.put("web/b", "3")
        _, rows = c.kv.get("web/", recurse=True)
        assert [r["Key"] for r in rows] == ["web/a", "web/b"]
        _, keys = c.kv.get("", keys=True, separator="/")
        assert "web/" in keys
        assert c.kv.get("absent")[1] is None
        index, _ = c.kv.get("web/a")
        start = time.time()
        same, _ = c.kv.get("web/a", index=index, wait="1s")
        assert same == index and time.time() - start >= 0.9
        assert c.kv.delete("web/", recurse=True) and c.kv.get("web/a")[1] is None


def test_sessions_and_locks():
    with client() as (agent, c):
        one = c.session.create(name="one", ttl=15, lock_delay=0)
        two = c.session.create(name="two", lock_delay=0)
        assert c.kv.put("lock", "1", acquire=one)
        assert not c.kv.put("lock", "2", acquire=two)
        assert c.kv.get("lock")[1]["Session"] == one
        assert c.kv.put("lock", "1", release=one) and c.kv.put("lock", "2", acquire=two)
        assert c.session.renew(one)["Name"] == "one"
        assert {s["ID"] for s in c.session.list()[1]} >= {one, two}
        assert c.session.destroy(two) and "Session" not in c.kv.get("lock")[1]


def test_a_service_of_the_agent_and_its_check():
    with client() as (agent, c):
        check = consul.Check.ttl("30s")
        assert c.agent.service.register("web", service_id="web1", port=80, tags=["v1"], check=check)
        assert "web1" in c.agent.services()
        eventually(lambda: "web" in c.catalog.services()[1], "the service reaches the catalog", 10)
        assert c.health.service("web", passing=True)[1] == []
        # Old versions of the client send GET here, which servers since 1.0 refuse with 405.
        assert agent.request("PUT", "/v1/agent/check/pass/service:web1?note=fine")[0] == 200
        eventually(lambda: c.health.service("web", passing=True)[1], "the check's status reaches the catalog", 10)
        instance = c.health.service("web", passing=True)[1][0]
        assert instance["Service"]["ID"] == "web1" and instance["Service"]["Port"] == 80
        assert [n["Node"] for n in c.catalog.nodes()[1]] == ["n1"]
        assert c.catalog.service("web")[1][0]["ServiceTags"] == ["v1"]
        assert agent.request("PUT", "/v1/agent/service/deregister/web1")[0] == 200


def test_a_node_in_the_catalog():
    with client() as (agent, c):
        assert c.catalog.register("ext", "10.0.0.1", service={"Service": "db", "Port": 5432})
        assert c.catalog.service("db")[1][0]["Address"] == "10.0.0.1"
        assert c.catalog.deregister("ext") and c.catalog.service("db")[1] == []


def test_leader_and_agent():
    with client() as (agent, c):
        assert c.status.leader() == f"127.0.0.1:{agent.server_port}"
        assert c.agent.self()["Config"]["NodeName"] == "n1"
