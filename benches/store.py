"""How long a connection store takes to make, and an audit of it to open.

    store.py CLOSEGATE [--days 365] [--interfaces 10000] [--flows 3] [--records 2] [--runs-a-day 1] [--inside DIRECTORY]

Makes the logs of one day after another and ingests each, in one run or several, so that the disk never holds more than one day of
logs. Then audits the whole store, and the last 14 days of it. Prints time and peak memory of each, and what the store takes on the
disk. Needs GNU time.

Interfaces call the same others on every day, but for one call in fifty, each day from another port.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DAY = 86_400
# A midnight, 2025-11-01.
START = 20_393 * DAY
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
)
PORTS = [443, 5432, 6379, 9092, 3306, 8080]
# Interfaces of one group.
IN_A_GROUP = 50


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def group_of(number):
    return f"sg-{number // IN_A_GROUP:05x}"


def inventory(directory, interfaces):
    """Groups that let everything out, and the network in."""
    directory.mkdir()
    every = [{"CidrIp": "0.0.0.0/0"}]
    groups = [
        {
            "GroupId": group_of(number),
            "GroupName": f"group-{number // IN_A_GROUP}",
            "VpcId": "vpc-1",
            "OwnerId": "111122223333",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
                for port in PORTS
            ],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": every}],
        }
        for number in range(0, interfaces, IN_A_GROUP)
    ]
    cards = [
        {
            "NetworkInterfaceId": f"eni-{number:017x}",
            "InterfaceType": "interface",
            "VpcId": "vpc-1",
            "SubnetId": "subnet-1",
            "AvailabilityZone": "us-east-1a",
            "PrivateIpAddress": address(number),
            "Groups": [{"GroupId": group_of(number)}],
        }
        for number in range(interfaces)
    ]
    everything = {
        "SecurityGroups": groups,
        "NetworkInterfaces": cards,
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8"}],
        **{key: [] for key in ("VpcPeeringConnections", "SecurityGroupRules", "RouteTables", "PrefixLists", "VpcEndpoints")},
    }
    (directory / "inventory.json").write_text(json.dumps(everything))


def connections(interfaces, flows):
    """Who calls whom on which port. A connection is four flows: two directions at two interfaces."""
    numbers = random.Random(1)
    count = max(1, interfaces * flows // 4)
    for number in range(count):
        here = number * interfaces // count
        there = (here + numbers.randrange(1, interfaces)) % interfaces
        yield here, there, numbers.choice(PORTS)


def day_of_logs(directory, day, ever, chosen):
    """The files of a day one by one, one for each run."""
    numbers = random.Random(day)
    today = []
    for here, there, port in ever:
        if numbers.random() < 0.02:
            there = (here + numbers.randrange(1, chosen.interfaces)) % chosen.interfaces
        today.append((here, there, port, numbers.randrange(32_768, 61_000)))
    each = max(1, chosen.records // chosen.runs_a_day)
    length = DAY // chosen.runs_a_day
    for run in range(chosen.runs_a_day):
        path = directory / f"{day:05}-{run:05}.log"
        with path.open("w") as log:
            log.write(HEADER)
            for record in range(each):
                start = START + day * DAY + run * length + record * length // each
                for here, there, port, client in today:
                    a, b = address(here), address(there)
                    rest = f"6 9 900 {start} {start + 59} ACCEPT OK\n"
                    for own in (here, there):
                        log.write(f"2 111122223333 eni-{own:017x} {a} {b} {client} {port} {rest}")
                        log.write(f"2 111122223333 eni-{own:017x} {b} {a} {port} {client} {rest}")
        yield path


def measured(command):
    """Seconds and megabytes of a command."""
    with tempfile.NamedTemporaryFile("r") as said:
        begun = time.monotonic()
        done = subprocess.run(
            ["/usr/bin/time", "-o", said.name, "-f", "%M", *map(str, command)], capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - begun
        if done.returncode:
            sys.exit(f"{command}: {done.stderr}")
        kilobytes = int(re.findall(r"\d+", said.read())[-1])
    return seconds, kilobytes / 1_000, done.stdout


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("closegate")
    arguments.add_argument("--days", type=int, default=365)
    arguments.add_argument("--interfaces", type=int, default=10_000)
    arguments.add_argument("--flows", type=int, default=3, help="that an interface records on a day")
    arguments.add_argument("--records", type=int, default=2, help="of a flow on a day; at least one for each run")
    arguments.add_argument("--runs-a-day", type=int, default=1, help="files of a day, with an ingest for each")
    arguments.add_argument("--inside", type=Path, help="an existing directory for the store; else a temporary one")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.inside) as place:
        place = Path(place)
        inventory(place / "inventory", chosen.interfaces)
        store = place / "store"
        ever = list(connections(chosen.interfaces, chosen.flows))
        times = []
        for day in range(chosen.days):
            for log in day_of_logs(place, day, ever, chosen):
                command = [chosen.closegate, "ingest", "--flows", log, "--inventory", place / "inventory", "--store", store]
                seconds, megabytes, said = measured(command)
                times.append(seconds)
                log.unlink()
        tenth = max(1, len(times) // 10)
        print(f"{len(times)} ingests: {sum(times):.1f} s, peak of the last {megabytes:.0f} MB")
        print(f"the first tenth took {sum(times[:tenth]) / tenth:.3f} s each, the last {sum(times[-tenth:]) / tenth:.3f} s each")
        print(said.splitlines()[-1].replace(str(store), "store"))
        files = [path for path in store.rglob("*") if path.is_file()]
        print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
        since = time.strftime("%Y-%m-%d", time.gmtime(START + (chosen.days - 14) * DAY))
        audit = [chosen.closegate, "audit", "--store", store, "--inventory", place / "inventory", "--out", place / "run"]
        for name, window in (("whole", []), ("14 days", ["--since", since])):
            try:
                seconds, megabytes, _ = measured([*audit, *window])
            except SystemExit as failed:
                print(f"{name}: {failed}")
                continue
            window = json.loads((place / "run/audit.json").read_text())["input"]
            print(f"audit, {name}: {seconds:.1f} s, {megabytes:.0f} MB, {window['records_read']:,} records")


if __name__ == "__main__":
    main()
