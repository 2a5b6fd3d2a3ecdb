"""Archives of the state: by command, over HTTP, and over the server port as servers and agents of the reference ask for them."""
import contextlib, gzip, hashlib, io, os, socket, struct, tarfile, tempfile

from agent import running


def raw(text):
    text = text.encode()
    assert len(text) < 32
    return bytes([0xA0 + len(text)]) + text


def snapshot(agent, operation, archive=b"", stale=False, datacenter="dc1", half_close=True):
    """(response header, what follows it)"""
    request = b"\x84" + raw("AllowStale") + (b"\xc3" if stale else b"\xc2") + raw("Datacenter") + raw(datacenter) + raw("Op") + bytes(
        [operation]) + raw("Token") + raw("")
    s = socket.create_connection(("127.0.0.1", agent.server_port), timeout=30)
    s.sendall(b"\x05" + request + archive)
    if half_close:
        s.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := s.recv(65536):
        answer += piece
    s.close()
    at = answer.find(raw("LastContact"))
    assert answer[0] == 0x85 and at > 0, answer[:100]
    at += 12
    at += {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}.get(answer[at], 1)
    return answer[:at], answer[at:]


def call(agent, name, body=b"\x80"):
    """The answer to one call on a connection of its own, and whether the server closes it behind that."""
    s = socket.create_connection(("127.0.0.1", agent.server_port), timeout=10)
    s.sendall(b"\x00\x82" + raw("Seq") + b"\x07" + raw("ServiceMethod") + raw(name) + body)
    answer = s.recv(65536)
    s.settimeout(0.5)
    try:
        closed = s.recv(1) == b""
    except TimeoutError:
        closed = False
    s.close()
    return answer, closed


@contextlib.contextmanager
def with_archive():
    """An agent with a value, and an archive of its state: (agent, value, file, the archive's bytes, what `snapshot save` said)."""
    with running() as agent, tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "a.snap")
        value = os.urandom(300_000)
        assert agent.request("PUT", "/v1/kv/kept", value)[0] == 200
        for number in range(200):
            agent.request("PUT", f"/v1/kv/many/{number}", b"x" * 10_000)
        code, text, problem = agent.cli("snapshot", "save", file)
        assert code == 0, problem
        with open(file, "rb") as f:
            yield agent, value, file, f.read(), text


def test_an_archive_is_inspected():
    with with_archive() as (agent, value, file, archive, text):
        assert text.startswith("Saved and verified snapshot to index "), text
        index = int(text.split()[-1])
        code, text, _ = agent.cli("snapshot", "inspect", file)
        assert code == 0 and f"Index        {index}\n" in text and text.endswith("Version      1\n\n"), text


def test_other_programs_read_an_archive():
    with with_archive() as (agent, value, file, archive, text):
        tar = gzip.decompress(archive)
        members = tarfile.open(fileobj=io.BytesIO(tar)).getmembers()
        assert [m.name for m in members] == ["meta.json", "state.bin", "SHA256SUMS"] and all(m.mode == 0o600 for m in members)
        sums = tarfile.open(fileobj=io.BytesIO(tar)).extractfile("SHA256SUMS").read().decode().splitlines()
        for line in sums:
            digest, name = line.split("  ")
            assert hashlib.sha256(tarfile.open(fileobj=io.BytesIO(tar)).extractfile(name).read()).hexdigest() == digest
        assert tar.endswith(b"\0" * 1024) and len(tar) == members[-1].offset_data + 512 + 1024


def test_archives_come_over_http_and_the_server_port():
    with with_archive() as (agent, value, file, archive, text):
        index = int(text.split()[-1])
        status, headers, body = agent.request("GET", "/v1/snapshot")
        assert status == 200 and headers["content-type"] == "application/x-gzip" and int(headers["x-consul-index"]) >= index, headers
        for half_close in (True, False):
            response, saved = snapshot(agent, 0, half_close=half_close)
            assert raw("Error") + b"\xa0" in response and gzip.decompress(saved)[:9] == b"meta.json", response


def test_a_restored_state_replaces_the_other_and_stays():
    with with_archive() as (agent, value, file, archive, text):
        agent.request("DELETE", "/v1/kv/kept")
        agent.request("DELETE", "/v1/kv/many/?recurse")
        agent.request("PUT", "/v1/kv/later", b"1")
        assert agent.cli("snapshot", "restore", file) == (0, "Restored snapshot\n", "")
        assert agent.request("GET", "/v1/kv/kept?raw")[2] == value
        assert agent.request("GET", "/v1/kv/later")[0] == 404
        agent.request("PUT", "/v1/kv/later", b"1")
        response, rest = snapshot(agent, 1, archive)
        assert raw("Error") + b"\xa0" in response and rest == b"", response
        assert agent.request("GET", "/v1/kv/later")[0] == 404
        assert agent.request("PUT", "/v1/kv/later", b"2")[0] == 200

        # It survives.
        agent.kill()
        agent.start()
        assert agent.request("GET", "/v1/kv/kept?raw")[2] == value
        assert agent.request("GET", "/v1/kv/later?raw")[2] == b"2"


def test_bad_archives_are_refused():
    with with_archive() as (agent, value, file, archive, text):
        assert agent.request("PUT", "/v1/kv/later", b"2")[0] == 200
        tar = gzip.decompress(archive)
        for bad, text in [(b"", "failed to decompress snapshot: EOF"), (b"not an archive", "failed to decompress snapshot: gzip: invalid header"),
                          (gzip.compress(tar + b"\0" * 5120), "5120 unread uncompressed bytes remain")]:
            status, _, body = agent.request("PUT", "/v1/snapshot", bad)
            assert status == 500 and body.decode() == text, body
            assert text.encode() in snapshot(agent, 1, bad)[0]
        assert agent.request("PUT", "/v1/snapshot?stale", archive)[2] == b"stale not allowed for restore"
        assert b"unrecognized snapshot op '\\a'" in snapshot(agent, 7)[0]
        assert b"No path to datacenter" in snapshot(agent, 0, datacenter="dc9")[0]
        assert agent.request("GET", "/v1/kv/later?raw")[2] == b"2"


def test_calls_that_are_not_understood_end_their_connection():
    with running() as agent:
        assert call(agent, "Status.Ping") == (b"\x83" + raw("Error") + b"\xa0" + raw("Seq") + b"\x07" + raw("ServiceMethod") +
                                              raw("Status.Ping") + b"\x80", False)
        answer, closed = call(agent, "Status.Nope")
        assert closed and b"rpc: can't find method Status.Nope" in answer
        answer, closed = call(agent, "ConnectCA.Roots")
        assert not closed and b"Connect must be enabled in order to use this endpoint" in answer
        answer, closed = call(agent, "KVS.Get")
        assert not closed and b"No path to datacenter" in answer
