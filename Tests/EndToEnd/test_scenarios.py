"""Every staged failure ends well, and bad scenario files are refused with the line of the mistake."""
import glob, os, subprocess, tempfile

SIM = os.environ.get("CONSUL_SIM", "consul-sim")
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Scenarios")


def ends_well(path):
    with open(path) as f:
        assert f.readline().startswith("# "), f"{path} does not name its hazard"
    for seed in ("1", "2"):
        run = subprocess.run([SIM, "run", path, "--seed", seed], capture_output=True, text=True, timeout=280)
        assert run.returncode == 0, f"{path} --seed {seed}\n{run.stdout}{run.stderr}"


# Scenarios/large takes minutes each and is run by hand.
TESTS = {os.path.basename(path).removesuffix(".hcl"): (lambda path=path: ends_well(path)) for path in sorted(glob.glob(f"{FOLDER}/*.hcl"))}
assert TESTS, f"no scenarios in {FOLDER}"


def test_an_unknown_key_is_refused_with_its_line():
    with tempfile.NamedTemporaryFile("w", suffix=".hcl") as f:
        f.write('scenario "x" {\n  servers = 3\n  speed = 11\n}\n')
        f.flush()
        run = subprocess.run([SIM, "run", f.name], capture_output=True, text=True, timeout=60)
        assert run.returncode == 2 and "line 3" in run.stderr and "speed" in run.stderr, run
