"""A signal of a trap ends the agent at once: its ports are closed within a moment, and its exit status is the signal's."""
import os, signal, socket, subprocess, time

from agent import Agent

# The Swift runtime's backtraces take seconds; the agent's own trace takes milliseconds.
LIMIT = 0.3


def refused(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) != 0


def end_by(number):
    """Seconds from the signal to the end of an agent."""
    agent = Agent().start()
    try:
        begin = time.time()
        agent.process.send_signal(number)
        code = agent.process.wait(20)
        took = time.time() - begin
        assert code == -number, f"{number.name}: exit status {code}"
        assert refused(agent.http_port) and refused(agent.server_port) and refused(agent.serf_port), number.name
        assert f"cannot go on: {number.name}" in agent.logs(), agent.logs()[-2000:]
        return took
    finally:
        agent.stop()


def quickest(what, measure):
    """The best of three, since a busy machine may let any process wait."""
    times = []
    while len(times) < 3:
        times.append(measure())
        if times[-1] < LIMIT:
            return
    assert False, f"{what}: took {min(times):.2f} s at the least"


def test_a_trap_closes_the_ports_at_once():
    for number in (signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV):
        quickest(number.name, lambda: end_by(number))


def test_a_reader_that_has_stopped_does_not_delay_the_end():
    quickest("a full pipe", end_with_a_full_pipe)


def end_with_a_full_pipe():
    """Seconds from the signal to the end of an agent whose standard error is a pipe that is full."""
    agent = Agent()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    try:
        with open(agent.log_path, "ab") as log:
            arguments = [os.environ["CONSUL"], "agent", "-config-file", agent.config, "-dev"]
            agent.process = subprocess.Popen(arguments, stdout=log, stderr=writer)
        agent.wait_until_leading()
        begin = time.time()
        agent.process.send_signal(signal.SIGSEGV)
        assert agent.process.wait(20) == -signal.SIGSEGV
        return time.time() - begin
    finally:
        os.close(reader)
        os.close(writer)
        agent.stop()


if __name__ == "__main__":
    test_a_trap_closes_the_ports_at_once()
    test_a_reader_that_has_stopped_does_not_delay_the_end()
    print("six signals, each ended the agent at once")
