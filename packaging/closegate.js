#!/usr/bin/env node
// Starts the program of this platform, which npm installed as an optional dependency.
"use strict";

const { spawn } = require("node:child_process");

const name = `closegate-${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "closegate.exe" : "closegate";

let program;
try {
  program = require.resolve(`${name}/bin/${file}`);
} catch {
  console.error(
    `closegate: the package ${name} is not installed. Either closegate has no build for this platform, or npm was told to omit optional dependencies.`,
  );
  process.exit(2);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A terminal sends an interrupt to the child too, which then ends in its own time. Other signals reach only this process.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`closegate: ${program} can't be started: ${error.message}`);
  process.exit(2);
});
child.on("exit", (code, signal) => {
  // 128 and the signal's number, as shells say it.
  process.exit(code ?? 128 + require("node:os").constants.signals[signal]);
});
