"""Every staged failure ends well, and bad scenario files are refused with the line of the mistake."""
import glob, os, subprocess, tempfile

SIM = os.environ["CONSUL_SIM"]
scenarios = sorted(glob.glob(os.path.join(os.path.dirname(__file__), "../../Scenarios/*.hcl")))
assert len(scenarios) >= 15, scenarios
for path in scenarios:
    with open(path) as f:
        assert f.readline().startswith("# "), f"{path} does not name its hazard"
    for seed in ("1", "2"):
        run = subprocess.run([SIM, "run", path, "--seed", seed], capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, f"{path} --seed {seed}\n{run.stdout}{run.stderr}"
with tempfile.NamedTemporaryFile("w", suffix=".hcl") as f:
    f.write('scenario "x" {\n  servers = 3\n  speed = 11\n}\n')
    f.flush()
    run = subprocess.run([SIM, "run", f.name], capture_output=True, text=True)
    assert run.returncode == 2 and "line 3" in run.stderr and "speed" in run.stderr, run
print(f"{len(scenarios)} scenarios, two seeds each")
