//! Whose an address is: the cases of `docs/addresses.md`.

use serde_json::{Value, json};

use crate::small::{Case, connections, from_group, group, interface};

fn end<'a>(audit: &'a Value, side: &str, address: &str) -> &'a Value {
    let ends = audit["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c[side]);
    ends.clone().find(|end| end["address"] == address).unwrap()
}

/// web (sg-a, eni-1), db (sg-b, eni-2), and a third interface.
fn with_third(third: Value, conversations: &[&'static str]) -> Case {
    let mut case = Case::web_and_db(conversations);
    case.inventory["NetworkInterfaces"]
        .as_array_mut()
        .unwrap()
        .push(third);
    case
}

#[test]
fn pods_of_a_delegated_prefix_are_their_nodes() {
    let mut node = interface("eni-3", "10.0.0.3", &["sg-a"]);
    node["Ipv4Prefixes"] = json!([{"Ipv4Prefix": "10.0.0.48/28"}]);
    for (audit, _) in with_third(node, &["eni-2 10.0.0.50:40000 10.0.0.2:3306 6"]).runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.50 10.0.0.2 tcp/3306 accepted - permitted"]
        );
        assert_eq!(
            end(&audit, "initiator", "10.0.0.50")["interface_id"],
            "eni-3"
        );
    }
}

#[test]
fn a_branch_interface_is_judged_by_its_own_groups() {
    let mut branch = interface("eni-3", "10.0.0.3", &["sg-a"]);
    branch["InterfaceType"] = json!("branch");
    let mut case = with_third(branch, &["eni-2,eni-3 10.0.0.3:40000 10.0.0.2:3306 6"]);
    // The node has no way in.
    case.inventory["NetworkInterfaces"][0] = interface("eni-1", "10.0.0.1", &["sg-b"]);
    case.inventory["NetworkInterfaces"][0]["InterfaceType"] = json!("trunk");
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.3 10.0.0.2 tcp/3306 accepted - permitted"]
        );
        assert_eq!(
            end(&audit, "initiator", "10.0.0.3")["groups"],
            json!(["sg-a"])
        );
    }
}

#[test]
fn a_secondary_address_is_its_interfaces() {
    let mut web = interface("eni-3", "10.0.0.3", &["sg-a"]);
    web["PrivateIpAddresses"] = json!([{"PrivateIpAddress": "10.0.0.3", "Primary": true}, {"PrivateIpAddress": "10.0.0.33", "Primary": false}]);
    for (audit, _) in with_third(web, &["eni-2 10.0.0.33:40000 10.0.0.2:3306 6"]).runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.33 10.0.0.2 tcp/3306 accepted - permitted"]
        );
        assert_eq!(
            end(&audit, "initiator", "10.0.0.33")["interface_id"],
            "eni-3"
        );
    }
}

#[test]
fn a_client_behind_a_network_load_balancer_keeps_its_address() {
    let mut balancer = interface("eni-3", "10.0.0.3", &[]);
    balancer["InterfaceType"] = json!("network_load_balancer");
    let mut case = with_third(balancer, &["eni-1 198.51.100.7:40000 10.0.0.1:8443 6"]);
    let clients = json!([{"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}]);
    case.inventory["SecurityGroups"][0] = group("sg-a", &clients);
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            ["198.51.100.7 10.0.0.1 tcp/8443 accepted - permitted"]
        );
        let rules = audit["rules"].as_array().unwrap().iter();
        assert!(
            rules.clone().all(|rule| rule["direction"] == "ingress"),
            "{rules:?}"
        );
    }
}

#[test]
fn an_interface_endpoint_is_judged_by_its_groups() {
    let mut endpoint = interface("eni-3", "10.0.0.3", &["sg-e"]);
    endpoint["InterfaceType"] = json!("vpc_endpoint");
    let mut case = with_third(endpoint, &["eni-1,eni-3 10.0.0.1:40000 10.0.0.3:443 6"]);
    let groups = case.inventory["SecurityGroups"].as_array_mut().unwrap();
    groups.push(group("sg-e", &from_group(443, &json!({"GroupId": "sg-a"}))));
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.1 10.0.0.3 tcp/443 accepted - permitted"]
        );
        let rules = audit["rules"].as_array().unwrap().iter();
        let pair = rules
            .clone()
            .find(|rule| rule["group_id"] == "sg-a" && rule["direction"] == "egress");
        assert_eq!(pair.unwrap()["target"]["security_group"], "sg-e");
    }
}

#[test]
fn what_a_gateway_load_balancer_endpoint_records_is_forwarded() {
    let mut endpoint = interface("eni-3", "10.0.0.3", &[]);
    endpoint["InterfaceType"] = json!("gateway_load_balancer_endpoint");
    let case = with_third(endpoint, &["eni-1,eni-3 10.0.0.1:40000 151.101.1.1:443 6"]);
    for (audit, _) in case.runs() {
        // One connection, with the rows of both places.
        assert_eq!(
            connections(&audit),
            ["10.0.0.1 151.101.1.1 tcp/443 accepted - permitted"]
        );
        assert!(
            audit["connections"][0]["seen"]["forwarded_accepted"]
                .as_u64()
                .unwrap()
                > 0
        );
    }
}

#[test]
fn a_resolver_endpoint_is_judged_by_its_groups() {
    let endpoint = interface("eni-3", "10.0.0.3", &["sg-r"]);
    let mut case = with_third(endpoint, &["eni-1,eni-3 10.0.0.1:40000 10.0.0.3:53 17"]);
    let from = json!([{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]);
    case.inventory["SecurityGroups"]
        .as_array_mut()
        .unwrap()
        .push(group("sg-r", &from));
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.1 10.0.0.3 udp/53 accepted - permitted"]
        );
        assert_eq!(
            end(&audit, "responder", "10.0.0.3")["groups"],
            json!(["sg-r"])
        );
    }
}

#[test]
fn both_families_are_one_interfaces() {
    let mut case = Case::web_and_db(&[
        "eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6",
        "eni-1 2600:1f18::1|40001 2606:4700::6810|443 6",
    ]);
    case.inventory["NetworkInterfaces"][0]["Ipv6Addresses"] =
        json!([{"Ipv6Address": "2600:1f18::1"}]);
    case.inventory["SecurityGroups"][0]["IpPermissionsEgress"][0]["Ipv6Ranges"] =
        json!([{"CidrIpv6": "::/0"}]);
    for (audit, _) in case.runs() {
        assert_eq!(
            end(&audit, "initiator", "2600:1f18::1")["interface_id"],
            "eni-1"
        );
        let rules = audit["rules"].as_array().unwrap().iter();
        assert!(
            rules
                .clone()
                .any(|rule| rule["target"]["cidr_ipv6"] == "2606:4700::6810/128")
        );
        let both = audit["revocations"].as_array().unwrap().iter();
        assert_eq!(both.filter(|gone| gone["group_id"] == "sg-a").count(), 2);
    }
}
