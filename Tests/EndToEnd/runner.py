"""usage: run CONSUL CONSUL-SIM [-k TEXT] [-j N] [--list] [FILE ...]

Runs the functions named test_* of the files test_*.py, each in a process of its own, several at a time, and reports each by name with its
time: a failure hides no other. -k: only those whose name contains the text. A module may say

    ALONE = True             nothing runs beside its tests: they measure, or need names of which the machine has one
    SECONDS = 300            how long one of its tests may take
    EVERY_CLIENT = True      its tests run with each Python that has a build of the client library

and offer tests that it makes in a dictionary TESTS = {name: function}. A test that cannot run here raises `agent.Skipped`.
"""
import argparse, concurrent.futures, importlib, inspect, json, os, pathlib, signal, subprocess, sys, time, traceback

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def tests_of(module):
    found = {name: f for name, f in inspect.getmembers(module, inspect.isfunction) if name.startswith("test_") and f.__module__ == module.__name__}
    return {**found, **getattr(module, "TESTS", {})}


def load(file):
    sys.path.insert(0, str(HERE))
    return importlib.import_module(pathlib.Path(file).stem)


def describe(file):
    """What a module says about its tests, found out by a process that imports it."""
    run = subprocess.run([sys.executable, __file__, "--describe", file], capture_output=True, text=True)
    if run.returncode:
        print(run.stderr, file=sys.stderr)
        return {"tests": ["cannot_be_loaded"], "alone": False, "seconds": 60, "every_client": False}
    return json.loads(run.stdout)


def perform(file, name):
    """Runs one test in this process; how it ended is the exit code."""
    from agent import Skipped
    try:
        tests_of(load(file))[name]()
    except Skipped as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run_one(test):
    began = time.time()
    process = subprocess.Popen([test["python"], __file__, "--one", test["file"], test["name"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=test["seconds"])
        code = process.returncode
    except subprocess.TimeoutExpired:
        code, output = 1, f"it took longer than {test['seconds']} s"
    # Whatever it has started ends with it.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    return code, output, time.time() - began


def pythons_with_client():
    """Two builds of python-consul: Debian's package, if this machine has it, and the one of PyPI."""
    candidates = ["/usr/bin/python3", str(HERE / "../../.build/client-venv/bin/python3")]
    return [p for p in candidates if os.access(p, os.X_OK) and subprocess.run([p, "-c", "import consul"], stderr=subprocess.DEVNULL).returncode == 0]


def collect(files, text):
    tests = []
    for file in files:
        about = describe(file)
        pythons = pythons_with_client() if about["every_client"] else [sys.executable]
        if not pythons:
            sys.exit("python-consul is missing: run Tools/install-dependencies tests")
        for name in about["tests"]:
            for python in pythons:
                shown = f"{pathlib.Path(file).stem.removeprefix('test_')}: {name.removeprefix('test_').replace('_', ' ')}"
                if len(pythons) > 1: shown += f" ({'PyPI' if 'venv' in python else 'Debian'})"
                if text in shown or text in name:
                    tests.append({"file": file, "name": name, "shown": shown, "python": python, "alone": about["alone"], "seconds": about["seconds"]})
    return tests


def main():
    if sys.argv[1] == "--one":
        return perform(*sys.argv[2:4])
    if sys.argv[1] == "--describe":
        module = load(sys.argv[2])
        print(json.dumps({"tests": list(tests_of(module)), "alone": getattr(module, "ALONE", False), "seconds": getattr(module, "SECONDS", 300),
                          "every_client": getattr(module, "EVERY_CLIENT", False)}))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("consul"); parser.add_argument("sim"); parser.add_argument("files", nargs="*")
    parser.add_argument("-k", default="", metavar="TEXT"); parser.add_argument("-j", type=int, default=os.cpu_count()); parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    os.environ.update(CONSUL=os.path.realpath(arguments.consul), CONSUL_SIM=os.path.realpath(arguments.sim), PYTHONDONTWRITEBYTECODE="1")
    tests = collect(arguments.files or sorted(map(str, HERE.glob("test_*.py"))), arguments.k)
    if arguments.list:
        print("\n".join(t["shown"] for t in tests))
        return 0
    if not tests: sys.exit(f"no test is named like {arguments.k!r}")
    counts = {"ok": 0, "skip": 0, "FAIL": 0}
    failed = []

    def report(test, result):
        code, output, took = result
        word = "ok" if code == 0 else "skip" if code == SKIPPED else "FAIL"
        counts[word] += 1
        print(f"{word:5}{took:6.1f} s  {test['shown']}", flush=True)
        if word == "FAIL":
            failed.append(test["shown"])
            print("\n".join("          " + line for line in output.splitlines()[-60:]), flush=True)
        elif output.strip():
            print("          " + output.strip().splitlines()[-1], flush=True)

    with concurrent.futures.ThreadPoolExecutor(arguments.j) as pool:
        running = {pool.submit(run_one, t): t for t in tests if not t["alone"]}
        for done in concurrent.futures.as_completed(running): report(running[done], done.result())
    for test in tests:
        if test["alone"]: report(test, run_one(test))
    for name in failed: print(f"FAIL {name}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
