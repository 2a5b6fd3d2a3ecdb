"""A server killed 200 times under write load loses and reorders nothing that it has acknowledged."""
import base64, http.client, json, os, random, threading, time

from agent import Agent

SECONDS = 600
ROUNDS = int(os.environ.get("KILLS", "200"))
WRITERS = 4


def test_acknowledged_writes_survive_200_kills():
    random.seed(20)
    agent = Agent().start()
    acknowledged = [0] * WRITERS  # the highest number that each writer was told is stored
    attempted = [0] * WRITERS
    stop = threading.Event()

    def write(writer):
        """Counts upwards in a key of its own, keeping a trail of every tenth number."""
        connection = None
        number = 0
        while not stop.is_set():
            number += 1
            attempted[writer] = number
            while not stop.is_set():
                try:
                    connection = connection or http.client.HTTPConnection("127.0.0.1", agent.http_port, timeout=5)
                    if number % 10 == 0:
                        connection.request("PUT", f"/v1/kv/trail/{writer}/{number}", str(number))
                        connection.getresponse().read()
                    connection.request("PUT", f"/v1/kv/counter/{writer}", str(number))
                    answer = connection.getresponse()
                    if answer.read().strip() == b"true":
                        acknowledged[writer] = number
                        break
                except (OSError, http.client.HTTPException):
                    connection = None
                    time.sleep(0.002)

    def check(writer, told):
        status, _, body = agent.request("GET", f"/v1/kv/counter/{writer}")
        stored = int(base64.b64decode(json.loads(body)[0]["Value"])) if status == 200 else 0
        assert told <= stored <= attempted[writer], f"writer {writer}: acknowledged {told}, found {stored}, attempted {attempted[writer]}"
        status, _, body = agent.request("GET", f"/v1/kv/trail/{writer}/?keys")
        trail = sorted(int(k.rsplit("/", 1)[1]) for k in json.loads(body)) if status == 200 else []
        expected = list(range(10, told + 1, 10))
        assert trail[: len(expected)] == expected, f"writer {writer}: the trail has holes: {trail[-5:]} for {told}"

    threads = [threading.Thread(target=write, args=(w,), daemon=True) for w in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        for round in range(ROUNDS):
            time.sleep(random.uniform(0.0, 0.12))
            told = list(acknowledged)
            agent.kill()
            told = [max(a, b) for a, b in zip(told, acknowledged)]
            agent.start()
            for writer in range(WRITERS):
                check(writer, told[writer])
        stop.set()
        for thread in threads:
            thread.join(10)
        for writer in range(WRITERS):
            check(writer, acknowledged[writer])
        print(f"{ROUNDS} kills, {sum(acknowledged)} acknowledged writes, none lost")
        assert sum(acknowledged) > ROUNDS, "hardly any write went through: the test says nothing"
    finally:
        stop.set()
        agent.stop()
