"""Watchers that connect, wait and vanish leave nothing behind; those that stay are woken exactly once."""
import resource, socket, time

from agent import eventually, running

ALONE = True  # memory and descriptors are compared
CONFIG = {"limits": {"http_max_conns_per_client": 15000}}


def watch(agent, key, index):
    s = socket.create_connection(("127.0.0.1", agent.http_port))
    s.sendall(f"GET /v1/kv/{key}?index={index}&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return s


def watched(agent):
    """The index of a key that is there."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    assert agent.request("PUT", "/v1/kv/watched", b"0")[0] == 200
    return int(agent.request("GET", "/v1/kv/watched")[1]["x-consul-index"])


def test_20000_watchers_that_vanish_leave_nothing_behind():
    with running(dev=True, config=CONFIG) as agent:
        index = watched(agent)
        for s in [watch(agent, "watched", index) for _ in range(2000)]:  # what a first wave costs is kept for the next
            s.close()
        time.sleep(1)
        descriptors, memory = agent.descriptors(), agent.memory()
        for wave in range(10):
            sockets = [watch(agent, "watched" if n % 2 else f"absent/{n}", index if n % 2 else 10**9) for n in range(2000)]
            time.sleep(0.2)
            for s in sockets:
                s.close()
        eventually(lambda: agent.descriptors() <= descriptors + 5, "the descriptors are closed", 20)
        grown = agent.memory() - memory
        assert grown < 16 * 1024, f"20,000 watchers left {grown} KiB behind"
        print(f"20,000 watchers came and went: {grown} KiB more, {agent.descriptors() - descriptors} descriptors more")


def test_1000_watchers_of_a_key_are_woken():
    with running(dev=True, config=CONFIG) as agent:
        sockets = [watch(agent, "watched", index) for index in [watched(agent)] for _ in range(1000)]
        time.sleep(0.5)
        assert agent.request("PUT", "/v1/kv/watched", b"1")[0] == 200
        for s in sockets:
            s.settimeout(10)
            assert s.recv(65536).startswith(b"HTTP/1.1 200 OK"), "a watcher was not woken"
            s.close()
