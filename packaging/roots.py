"""A root directory for a trial, which holds nothing but what is put there."""

import os
import pathlib
import shutil

import project


def as_root(*words: object) -> list[str]:
    """A command that root has to run."""
    prefix = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    return [*prefix, *[str(word) for word in words]]


def dependencies(field: str) -> list[str]:
    """The names in a field Depends. Of alternatives, the first."""
    return [entry.split()[0].partition(":")[0] for entry in field.strip().split(", ") if entry]


def cleared(top: pathlib.Path) -> None:
    """Removes a trial's directory, whoever wrote there."""
    project.run(*as_root("rm", "-rf", "--one-file-system", top))


class Root:
    def __init__(self, top: pathlib.Path) -> None:
        self.top = top
        # Where a program of the package writes to: the working directory of an image, and made elsewhere.
        self.work = top / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        self.work.chmod(0o1777)
        (top / "tmp").mkdir(exist_ok=True)
        (top / "tmp").chmod(0o1777)

    def command(self, program: str, user: dict | None = None) -> tuple[list[object], object]:
        """How to run a program of the directory, and how it sees `work`. A script needs an interpreter, so it gets the whole system."""
        with open(self.top / program.lstrip("/"), "rb") as file:
            if file.read(2) == b"#!":
                return [self.top / program.lstrip("/")], self.work
        who = [f"--userspec={user['uid']}:{user['gid']}"] if user else []
        # Not found by the path of an empty environment, which has no directory for administrators.
        return as_root(shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin"), *who, self.top, program), "/work"

    def copied(self, path: str) -> None:
        """Puts a file of this system at the same place, with what a link leads to."""
        place = self.top / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)

    def libraries(self, program: str) -> None:
        """Copies the libraries that a program asks for, with the loader."""
        with open(self.top / program.lstrip("/"), "rb") as file:
            if file.read(4) != b"\x7fELF":
                return
        for line in project.run("ldd", self.top / program.lstrip("/")).splitlines():
            for word in line.split():
                if word.startswith("/"):
                    self.copied(word)

    def debian(self, names: list[str]) -> None:
        """Makes dpkg believe in the packages of these names and those that they depend on, as this system has them.

        Copies their libraries.
        """
        # Where this system has /lib as a link to /usr/lib, packages name either.
        for name in ["lib", "lib64"]:
            if os.path.islink(f"/{name}"):
                (self.top / "usr" / name).mkdir(parents=True)
                (self.top / name).symlink_to(f"usr/{name}")
        state = self.top / "var/lib/dpkg"
        for name in ["info", "updates"]:
            (state / name).mkdir(parents=True)
        status: dict[str, str] = {}
        while names:
            name = names.pop()
            if name in status:
                continue
            status[name] = project.run("dpkg-query", "--status", name)
            names += dependencies(project.run("dpkg-query", "--show", "--showformat=${Depends}", name))
            for path in project.run("dpkg-query", "--listfiles", name).splitlines():
                if ".so" in path and os.path.isfile(path):
                    self.copied(path)
        (state / "status").write_text("\n".join(status.values()))

    def dpkg(self, *words: object) -> None:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        # This system may be one that leaves out documentation.
        project.run(*as_root("dpkg", f"--root={self.top}", "--path-include=*", *words), env=environment)

    def rpm(self, *words: object) -> None:
        project.run(*as_root("rpm", f"--root={self.top}", "--dbpath=/var/lib/rpm", *words))
