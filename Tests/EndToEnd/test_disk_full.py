"""A full disk refuses writes with a clear error, loses nothing acknowledged, and is forgotten once there is space."""
import os, subprocess, tempfile

from agent import Agent, Skipped, eventually


def test_a_full_disk_refuses_and_loses_nothing():
    directory = tempfile.mkdtemp(prefix="consul-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", directory], stderr=subprocess.DEVNULL).returncode:
        os.rmdir(directory)
        raise Skipped("may not mount a small file system here")
    agent = Agent(directory=os.path.join(directory, "data"))
    try:
        agent.start()
        ballast = os.path.join(directory, "ballast")
        with open(ballast, "wb") as f:
            try:
                while True:
                    f.write(b"\0" * 65536)
                    f.flush()
            except OSError:
                pass
        stored, refused = [], 0
        for number in range(4000):
            status, _, body = agent.request("PUT", f"/v1/kv/full/{number}", b"v" * 16384)
            if status == 200:
                stored.append(number)
            else:
                refused += 1
                assert body, "a refusal says why"
                if refused >= 3:
                    break
        assert refused >= 3, "the disk never filled up"
        for number in stored:
            assert agent.request("GET", f"/v1/kv/full/{number}")[0] == 200, f"{number} was acknowledged and is gone"

        os.unlink(ballast)
        eventually(lambda: agent.request("PUT", "/v1/kv/full/after", b"x")[0] == 200, "the agent writes when there is space again")

        agent.kill()
        agent.start()
        for number in stored:
            assert agent.request("GET", f"/v1/kv/full/{number}")[0] == 200, f"{number} did not survive the restart"
        assert agent.request("GET", "/v1/kv/full/after")[0] == 200
        print(f"{len(stored)} writes before the disk was full, {refused} refused, all kept")
    finally:
        agent.stop()
        subprocess.run(["umount", directory])
        os.rmdir(directory)
