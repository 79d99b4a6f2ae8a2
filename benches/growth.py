"""How time, memory and reports grow with an account, one axis at a time.

    growth.py CLOSEGATE [AXIS...] [--large] [--sizes COUNT] [--runs COUNT] [--directory DIRECTORY]

Makes logs and inventories of rising size, audits each three times with the program that is named, and prints the best time, the peak
memory, how many rules and findings there are, the exponent of the time between one size and the next (1 is linear), and the size of
the larger files. Needs GNU time.
"""

import argparse
import json
import math
import mmap
import random
import re
import shutil
import subprocess
import sys
import time
from itertools import chain, islice
from pathlib import Path

START = 1_760_000_000
DAYS = 14
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
)
PORTS = [443, 5432, 6379, 9092, 3306, 8080, 8443, 9200, 5672, 11211]
OPEN = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
TCP, UDP = 6, 17
IRC, STATSD = 6667, 8125
# What scanners try first.
TRIED = [22, 23, 25, 80, 81, 110, 143, 443, 445, 1433, 2323, 3306, 3389, 5432, 5555, 5900, 6379, 8080, 8081, 8443, 9200, 11211, 27017, 37215]
# How addresses begin that are clouds' in part, and such that are never AWS's.
CLOUDS, ELSEWHERE = (18, 34, 52, 104), (61, 91, 109, 193)
FILES = ["audit.json", "report.md", "report.html", "findings.sarif"]


def below(limit):
    """A random number below that one; several times as fast as `random.randrange`."""
    return int(random.random() * limit)


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def external(number, networks=ELSEWHERE):
    """An address of the internet: one of its own for every number below 2**26, because the factor is odd."""
    place = (number >> 2) * 0x9E3779 & 0xFFFFFF
    return f"{networks[number & 3]}.{place >> 16}.{place >> 8 & 255}.{place & 255}"


def client_port():
    return 32_768 + below(28_231)


def moment(days=DAYS):
    return START + below(days * 86_400)


def row(at, source, target, ports, start, protocol=TCP, action="ACCEPT"):
    return f"2 111122223333 eni-{at:06x} {source} {target} {ports[0]} {ports[1]} {protocol} 10 1000 {start} {start + 30} {action} OK\n"


def both(at, source, target, ports, start):
    """One interface's rows of a connection."""
    return row(at, source, target, ports, start) + row(at, target, source, ports[::-1], start)


def group(number, ingress=()):
    return {
        "GroupId": f"sg-{number:05x}",
        "GroupName": f"group-{number}",
        "VpcId": "vpc-1",
        "OwnerId": "111122223333",
        "IpPermissions": list(ingress),
        "IpPermissionsEgress": OPEN,
    }


def interface(number, own):
    return {
        "NetworkInterfaceId": f"eni-{number:06x}",
        "InterfaceType": "interface",
        "VpcId": "vpc-1",
        "SubnetId": "subnet-1",
        "AvailabilityZone": "us-east-1a",
        "PrivateIpAddress": address(number),
        "Groups": [{"GroupId": f"sg-{own:05x}"}],
    }


def write(directory, groups, interfaces, rows):
    """The inventory, and then the rows: texts of one line or several. An interrupted log has another name."""
    inventory = directory / "inventory"
    inventory.mkdir(parents=True, exist_ok=True)
    everything = {
        "SecurityGroups": groups,
        "NetworkInterfaces": interfaces,
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8"}],
        **{key: [] for key in ("VpcPeeringConnections", "SecurityGroupRules", "RouteTables", "PrefixLists", "VpcEndpoints")},
    }
    (inventory / "all.json").write_text(json.dumps(everything))
    partial = directory / "flows.partial"
    rows = chain([HEADER], rows)
    with open(partial, "w") as log:
        while chunk := "".join(islice(rows, 20_000)):
            log.write(chunk)
    partial.rename(directory / "flows.log")


def network(count, connections, days=DAYS):
    """Groups of five interfaces, each of which opens connections to three others; one rule in five admits a large network."""
    ingress = {number: [] for number in range(count)}
    ports = {}
    for source in range(count):
        for target in random.sample(range(count), 3):
            if source == target:
                continue
            port = random.choice(PORTS) if random.random() < 0.7 else random.randrange(1_024, 21_024)
            ports[source, target] = port
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
            if random.random() < 0.2:
                rule["IpRanges"] = [{"CidrIp": "10.0.0.0/8"}]
            else:
                rule["UserIdGroupPairs"] = [{"GroupId": f"sg-{source:05x}", "UserId": "111122223333"}]
            ingress[target].append(rule)
    pairs = list(ports.items())

    def rows():
        for _ in range(connections):
            (source, target), port = pairs[below(len(pairs))]
            source, target = (256 + 5 * end + below(5) for end in (source, target))
            ends = (address(source), address(target), (client_port(), port), moment(days))
            yield both(source, *ends) + both(target, *ends)

    groups = [group(number, ingress[number]) for number in range(count)]
    return groups, [interface(256 + number, number // 5) for number in range(5 * count)], rows()


def many_groups(count, directory):
    write(directory, *network(count, 20 * count))


def many_destinations(count, directory, private=()):
    """Twenty groups of 2,000 interfaces in all, to so many addresses of the internet."""

    def rows():
        for target in chain((external(number, CLOUDS) for number in random.sample(range(1 << 26), count)), private):
            for _ in range(4):
                at = 256 + below(2_000)
                yield both(at, address(at), target, (client_port(), 443), moment())

    interfaces = [interface(256 + number, number % 20) for number in range(2_000)]
    write(directory, [group(number) for number in range(20)], interfaces, rows())


def one_private(count, directory):
    many_destinations(count, directory, ["192.168.77.7"])


def many_findings(count, directory):
    """Five hundred hosts in 50 groups, to a thousand addresses on IRC's port: so many pairs, each a finding."""

    def rows():
        for pair in range(count):
            host, turn = pair % 500, pair // 500
            target = external((host + 25 * turn) % 1_000)
            for _ in range(2):
                yield both(256 + host, address(256 + host), target, (client_port(), IRC), moment())

    interfaces = [interface(256 + number, number % 50) for number in range(500)]
    write(directory, [group(number) for number in range(50)], interfaces, rows())


def many_probes(count, directory):
    """A hundred groups that use each other, and so many rejected probes, no two of the same service by the same source: two thirds
    by 50 scanners, half of which try many ports of five addresses and half some ports of all addresses; one third by a source each."""
    groups, interfaces, connections = network(100, 5_000)

    def probes():
        for number in range(count):
            turn, kind = divmod(number, 3)
            if kind == 2:
                source, host, port = external(turn), below(500), TRIED[below(len(TRIED))]
            else:
                turn, scanner = divmod(2 * turn + kind, 50)
                source = f"94.102.49.{scanner}"
                if scanner % 2:
                    host, port = turn % 500, TRIED[turn // 500]
                else:
                    host, port = (10 * scanner + turn % 5) % 500, 1 + turn // 5
            yield row(256 + host, source, address(256 + host), (client_port(), port), moment(), action="REJECT")

    write(directory, groups, interfaces, chain(connections, probes()))


def many_days(count, directory):
    """The same 200,000 rows of ten groups, over so many days."""
    random.seed(0)
    write(directory, *network(10, 50_000, count))


def one_way_udp(count, directory):
    """So many addresses of the internet that send to one interface and get no answer."""
    rows = (row(256, external(number), address(256), (client_port(), STATSD), moment(), UDP) for number in range(count))
    statsd = {"IpProtocol": "udp", "FromPort": STATSD, "ToPort": STATSD, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    write(directory, [group(0, [statsd])], [interface(256, 0)], rows)


AXES = {
    "groups": (many_groups, [500, 1_000, 2_000, 4_000]),
    "destinations": (many_destinations, [5_000, 10_000, 20_000, 40_000]),
    # Destinations, one of them private.
    "private": (one_private, [5_000, 10_000, 20_000]),
    "findings": (many_findings, [2_500, 5_000, 10_000, 20_000]),
    "probes": (many_probes, [100_000, 200_000, 400_000, 800_000]),
    "days": (many_days, [16, 32, 64, 128]),
    "udp": (one_way_udp, [100_000, 200_000, 400_000, 800_000]),
}
LARGE = {"groups": [10_000]}


def commands(closegate, axis, directory):
    """What to measure, by what to call it."""
    logs, inventory = ["--flows", directory / "flows.log"], ["--inventory", directory / "inventory"]
    store, out = ["--store", directory / "store"], ["--out", directory / "run"]
    if axis == "days":
        return {
            "days, ingest": [closegate, "ingest", *logs, *inventory, *store],
            "days, audit --store": [closegate, "audit", *store, *inventory, *out],
        }
    return {axis: [closegate, "audit", *logs, *inventory, *out]}


def measure(command, directory, runs):
    """Seconds and KiB of the fastest of so many runs; each ingest is into an empty store."""
    best = (math.inf, 0)
    for _ in range(runs):
        if "ingest" in command:
            shutil.rmtree(directory / "store", ignore_errors=True)
        start = time.perf_counter()
        done = subprocess.run(["/usr/bin/time", "-f", "%M", *command], capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
        best = min(best, (seconds, int(done.stderr.split()[-1])))
    return best


def columns(run):
    """How many rules and findings a run has, and the MB of its larger files."""
    with open(run / "audit.json") as audit, mmap.mmap(audit.fileno(), 0, access=mmap.ACCESS_READ) as text:
        counts = [sum(1 for _ in re.finditer(rb'"id":\s*"%b-' % kind, text)) for kind in (b"r", b"f")]
    sizes = [(run / name).stat().st_size / 1e6 for name in FILES]
    return "".join(f"{count:>9,}" for count in counts), "".join(f"{size:>16.2f}" for size in sizes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("closegate", type=Path)
    parser.add_argument("axes", metavar="AXIS", nargs="*", help=f"{', '.join(AXES)} [default: all]")
    parser.add_argument("--large", action="store_true", help="10,000 groups too")
    parser.add_argument("--sizes", metavar="COUNT", type=int, help="only so many sizes of each axis, the smallest first")
    parser.add_argument("--runs", metavar="COUNT", type=int, default=3, help="runs of each size [default: 3]")
    parser.add_argument("--directory", type=Path, default=Path("target/growth"), help="where the data lie [default: target/growth]")
    options = parser.parse_intermixed_args()
    if unknown := [axis for axis in options.axes if axis not in AXES]:
        parser.error(f"no axis {unknown[0]}; there are {', '.join(AXES)}")
    closegate = options.closegate.resolve()
    print(f"{'axis':<20}{'size':>9}{'seconds':>10}{'MB':>8}{'rules':>9}{'findings':>9}{'exponent':>10}", end="")
    print("".join(f"{name:>16}" for name in FILES))
    for axis in options.axes or AXES:
        make, sizes = AXES[axis]
        sizes = (sizes + (LARGE.get(axis, []) if options.large else []))[: options.sizes]
        before = {}
        for size in sizes:
            random.seed(size)
            directory = options.directory / axis / str(size)
            if not (directory / "flows.log").exists():
                make(size, directory)
            for name, command in commands(closegate, axis, directory).items():
                seconds, kib = measure(command, directory, options.runs)
                counts, files = columns(directory / "run") if "audit" in command else (" " * 18, "")
                exponent = ""
                if name in before:
                    smaller, less = before[name]
                    exponent = f"{math.log(seconds / less) / math.log(size / smaller):.2f}"
                before[name] = size, seconds
                print(f"{name:<20}{size:>9,}{seconds:>10.3f}{kib // 1024:>8,}{counts}{exponent:>10}{files}", flush=True)


if __name__ == "__main__":
    main()
