"""The commands that people type, the signals, and what a client must not be able to break."""
import os, re, shutil, signal, socket, subprocess, tempfile, time

from agent import CONSUL, eventually, free_port, running


def messages(log):
    """What was logged, without times: `[INFO]  agent: text`."""
    return re.findall(r"^    \S+ (\[.*)$", log, re.MULTILINE)


def client_of(agent, *signals):
    """Lets a client join, then sends it the signals; its exit code and what it has logged since."""
    root = tempfile.mkdtemp(prefix="consul-test-")
    path = os.path.join(root, "log")
    arguments = [CONSUL, "agent", "-data-dir", os.path.join(root, "data"), "-node", "c1", "-bind", "127.0.0.1", "-http-port",
                 str(free_port()), "-dns-port", str(free_port()), "-serf-lan-port", str(free_port()), "-retry-join",
                 f"127.0.0.1:{agent.serf_port}"]
    with open(path, "wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
    try:
        eventually(lambda: "Synced node info" in open(path).read(), "the client is in the catalog", 20)
        before = len(messages(open(path).read()))
        for number in signals:
            process.send_signal(number)
            time.sleep(0.5)
        return process.wait(20), messages(open(path).read())[before:]
    finally:
        process.kill()
        shutil.rmtree(root, ignore_errors=True)


def test_keys_by_command():
    with running() as agent:
        assert agent.cli("kv", "put", "a/b", "hello") == (0, "Success! Data written to: a/b\n", "")
        assert agent.cli("kv", "get", "a/b") == (0, "hello\n", "")
        code, _, problem = agent.cli("kv", "get", "nothing")
        assert code == 1 and "No key exists at: nothing" in problem
        assert agent.cli("kv", "put", "-cas", "-modify-index=1", "a/b", "x")[0] == 1
        code, exported, _ = agent.cli("kv", "export", "a/")
        assert code == 0
        assert agent.cli("kv", "delete", "-recurse", "a/") == (0, "Success! Deleted keys with prefix: a/\n", "")
        assert agent.cli("kv", "import", "-", stdin=exported)[0] == 0
        assert agent.cli("kv", "get", "a/b")[1] == "hello\n"
        assert "consul" in agent.cli("catalog", "services")[1]
        assert agent.cli("members")[1].startswith("Node")
        assert "leader" in agent.cli("operator", "raft", "list-peers")[1]
        assert agent.cli("info")[0] == 0


def test_programs_are_run_with_locks_and_at_changes():
    with running() as agent:
        assert agent.cli("kv", "put", "a/b", "hello")[0] == 0
        assert agent.cli("lock", "lk", "echo held=$CONSUL_LOCK_HELD") == (0, "held=true\n", "")
        assert agent.cli("lock", "-child-exit-code", "lk", "exit 7") == (2, "", "Error running handler: exit status 7\n")
        assert agent.cli("lock", "-n=2", "sem", "echo in") == (0, "in\n", "")
        assert agent.cli("lock", "-pass-stdin", "lk", "cat", stdin="through\n") == (0, "through\n", "")
        assert agent.cli("kv", "get", "-keys", "lk") == (0, "", "")
        assert agent.cli("watch", "-type=key", "-key=a/b")[1].startswith('{\n    "Key": "a/b",\n    "CreateIndex": ')
        assert agent.cli("watch", "-type=key", "-key=a/b", "cat; exit 3")[::2] == (1, "Error executing handler: exit status 3\n")


def test_services_and_maintenance():
    with running() as agent:
        assert agent.cli("services", "register", "-name=cli", "-port=1") == (0, "Registered service: cli\n", "")
        assert agent.cli("maint", "-enable", "-service=cli", "-reason=x")[0] == 0
        assert agent.cli("maint")[1] == "Service:\n  ID:     cli\n  Reason: x\n\n"
        assert agent.cli("services", "deregister", "-id=cli") == (0, "Deregistered service: cli\n", "")
        assert len(agent.cli("keygen")[1]) == 45


def test_malformed_input_ends_nothing():
    with running() as agent:
        assert agent.cli("kv", "put", "a/b", "hello")[0] == 0
        for bad in [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"PUT /v1/kv/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200000]:
            s = socket.create_connection(("127.0.0.1", agent.http_port))
            s.settimeout(5)
            try:
                s.sendall(bad)
                s.recv(4096)
            except OSError:
                pass
            s.close()
        question = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for bad in [b"", b"\0" * 12, b"\xff" * 512, b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"]:
            question.sendto(bad, ("127.0.0.1", agent.dns_port))
        assert agent.request("PUT", "/v1/session/create", b"{")[0] == 400
        assert agent.cli("kv", "get", "a/b")[1] == "hello\n"


def test_how_an_agent_ends_is_the_end_of_its_log():
    with running() as agent:
        code, log = client_of(agent, signal.SIGTERM)
        assert code == 0, (code, log)
        ends = [line for line in log if "serf:" not in line and "Synced" not in line and "memberlist:" not in line]
        assert ends[:3] == ["[INFO]  agent: Caught: signal=terminated", "[INFO]  agent: Gracefully shutting down agent...",
                            "[INFO]  agent.client: client starting leave"], log
        ends = [line.split("address=")[0] for line in ends[3:] if not line.startswith("[INFO]  agent.client: removing server")]
        assert ends == ["[INFO]  agent: Graceful exit completed", "[INFO]  agent: Requesting shutdown",
                        "[INFO]  agent.client: shutting down client", "[INFO]  agent: consul client down",
                        "[INFO]  agent: shutdown complete", "[INFO]  agent: Stopping server: protocol=DNS ",
                        "[INFO]  agent: Stopping server: protocol=DNS ", "[INFO]  agent: Stopping server: protocol=HTTP ",
                        "[INFO]  agent: Waiting for endpoints to shut down", "[INFO]  agent: Endpoints down",
                        "[INFO]  agent: Exit code: code=0"], log
        code, log = client_of(agent, signal.SIGTERM, signal.SIGINT)
        assert code == 1 and "[INFO]  agent: Caught second signal, Exiting: signal=interrupt" in log, (code, log)
        assert "[INFO]  agent: Caught: signal=interrupt" not in log and log[-1] == "[INFO]  agent: Exit code: code=1", log


def test_what_prevents_a_start_is_said():
    with running() as agent:
        def start(*arguments):
            ports = [f"-{name}-port={free_port()}" for name in ("http", "dns", "server", "serf-lan", "serf-wan")]
            p = subprocess.run([CONSUL, "agent", "-dev", "-grpc-port=-1", *ports, *arguments], capture_output=True, text=True, timeout=30)
            assert p.returncode == 1, p
            assert p.stdout.endswith("[INFO]  agent: Exit code: code=1\n"), p.stdout
            return p.stdout

        port = agent.serf_port
        assert "too low" in start("-protocol=1")
        assert 'error="Could not open pid file: open /nope/x: no such file or directory"' in start("-pid-file=/nope/x")
        assert 'error="Failed to configure keyring: key size must be 16, 24 or 32 bytes"' in start("-encrypt=AAAA")
        assert f'error="listen tcp 127.0.0.1:{agent.http_port}: bind: address already in use"' in start(f"-http-port={agent.http_port}")
        assert (f'Failed to start TCP listener on "127.0.0.1" port {port}: listen tcp 127.0.0.1:{port}: bind: address already in use"'
                in start(f"-serf-lan-port={port}"))
        assert (f'error="2 errors occurred:\n\t* listen udp 127.0.0.1:{agent.dns_port}: bind: address already in use\n'
                f'\t* listen tcp 127.0.0.1:{agent.dns_port}: bind: address already in use\n\n"\n' in start(f"-dns-port={agent.dns_port}"))


def test_a_data_directory_has_one_agent():
    with running() as agent:
        second = subprocess.run([CONSUL, "agent", "-server", "-bootstrap-expect", "1", "-data-dir", agent.data, "-bind", "127.0.0.1",
                                 "-http-port", "0", "-dns-port", "-1", "-server-port", "0"], capture_output=True, text=True, timeout=30)
        assert second.returncode == 1, second


def test_ctrl_c_leaves_and_keeps_the_data():
    with running() as agent:
        assert agent.cli("kv", "put", "a/b", "hello")[0] == 0
        agent.process.send_signal(signal.SIGINT)
        agent.process.wait(20)
        agent.start()
        assert agent.cli("kv", "get", "a/b")[1] == "hello\n"
        assert agent.cli("reload")[0] == 0
        assert agent.cli("leave")[0] == 0
        agent.process.wait(20)
