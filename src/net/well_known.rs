//! What people call the services that turn up in every account.

use super::{Protocol, Service};

/// Names from the IANA service name and transport protocol port number registry,
/// in the spelling people use.
const NAMES: &[(Protocol, u16, &str)] = &[
    (Protocol::TCP, 21, "FTP"),
    (Protocol::TCP, 22, "SSH"),
    (Protocol::TCP, 25, "SMTP"),
    (Protocol::TCP, 53, "DNS"),
    (Protocol::UDP, 53, "DNS"),
    (Protocol::TCP, 80, "HTTP"),
    (Protocol::UDP, 123, "NTP"),
    (Protocol::TCP, 389, "LDAP"),
    (Protocol::TCP, 443, "HTTPS"),
    (Protocol::UDP, 443, "HTTP/3"),
    (Protocol::TCP, 445, "SMB"),
    (Protocol::UDP, 514, "syslog"),
    (Protocol::TCP, 636, "LDAPS"),
    (Protocol::TCP, 1433, "SQL Server"),
    (Protocol::TCP, 1521, "Oracle"),
    (Protocol::TCP, 2049, "NFS"),
    (Protocol::TCP, 3306, "MySQL"),
    (Protocol::TCP, 3389, "RDP"),
    (Protocol::TCP, 5432, "PostgreSQL"),
    (Protocol::TCP, 6379, "Redis"),
    (Protocol::UDP, 8125, "StatsD"),
    (Protocol::TCP, 9042, "Cassandra"),
    (Protocol::TCP, 9092, "Kafka"),
    (Protocol::TCP, 11211, "memcached"),
    (Protocol::TCP, 27017, "MongoDB"),
];

/// The usual name of a service, if it has one.
pub fn service_name(service: Service) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|&&(protocol, port, _)| service == Service::new(protocol, port))
        .map(|&(.., name)| name)
}
