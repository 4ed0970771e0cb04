//! `bootstrap.servers`: which addresses it may hold, and whether one of them leads anywhere (`ClientUtils.parseAndValidateAddresses`).
#![forbid(unsafe_code)]

use std::net::ToSocketAddrs as _;

use headwater_client::ClientError;

/// The addresses in `servers`, as `host:port`. A protocol before them is not looked at, as in Java.
///
/// # Errors
/// [`ClientError::Config`] for one that is none.
pub(super) fn parse(servers: &str) -> Result<Vec<String>, ClientError> {
    servers.split(',').map(str::trim).filter(|url| !url.is_empty()).map(address).collect()
}

fn address(url: &str) -> Result<String, ClientError> {
    let invalid =
        |what: &str, cure: &str| ClientError::Config(format!("Invalid {what} in bootstrap.servers: {url}: {cure}"));
    let (protocol, rest) = url.split_once("://").unwrap_or(("PLAINTEXT", url));
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => match rest.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let is_name = |text: &str, more: &str| {
        text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-%._".contains(letter) || more.contains(letter))
    };
    let Some(port) = port.filter(|_| !host.is_empty() && is_name(host, ":") && is_name(protocol, "")) else {
        return Err(invalid("url", "an address is host:port, such as broker.example:9092 or [::1]:9092"));
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse::<u16>().ok().filter(|_| digits);
    let number = number.ok_or_else(|| invalid("port", "it is a number from 0 to 65535"))?;
    Ok(format!("{host}:{number}"))
}

/// Whether some of `addresses` have hosts that are known; of the others a warning is logged.
///
/// # Errors
/// [`ClientError::Config`] when none is.
pub(super) fn resolve(addresses: &[String]) -> Result<(), ClientError> {
    let mut unknown = Vec::new();
    for address in addresses {
        match address.to_socket_addrs() {
            Ok(found) if found.len() > 0 => {}
            Ok(_) => unknown.push(format!("{address}: no address")),
            Err(error) => unknown.push(format!("{address}: {error}")),
        }
    }
    let unknown_hosts = unknown.join("; ");
    if unknown.len() == addresses.len() {
        return Err(ClientError::Config(format!(
            "No resolvable bootstrap urls given in bootstrap.servers: {unknown_hosts}; check the names, and that this machine can resolve them"
        )));
    }
    if !unknown.is_empty() {
        tracing::warn!("of bootstrap.servers some hosts cannot be resolved, the others are asked: {unknown_hosts}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_in_all_forms_that_java_takes() {
        let forms = [
            ("PLAINTEXT://127.0.0.1:9092", "127.0.0.1:9092"),
            ("SASL_SSL://broker-1.example_2.org:65535", "broker-1.example_2.org:65535"),
            ("[::1]:9092", "::1:9092"),
            ("PLAINTEXT://[2001:db8::1]:1", "2001:db8::1:1"),
            ("::1:9092", "::1:9092"),
            ("[fe80::1%eth0]:9092", "fe80::1%eth0:9092"),
            ("localhost:0", "localhost:0"),
        ];
        for (url, address) in forms {
            assert_eq!(parse(url), Ok(vec![address.to_owned()]), "{url}");
        }
        assert_eq!(parse(" a:1, ,b:2,"), Ok(vec!["a:1".to_owned(), "b:2".to_owned()]));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_address() {
        let wrong = [
            ("127.0.0.1:99999", "Invalid port"),
            ("a:70000000000000000000", "Invalid port"),
            ("a:", "Invalid port"),
            ("a:+1", "Invalid port"),
            ("a:9092/path", "Invalid port"),
            ("a b:9092", "Invalid url"),
            (":9092", "Invalid url"),
            ("localhost", "Invalid url"),
            ("[::1]", "Invalid url"),
            ("http//a:9092", "Invalid url"),
            ("PLAIN TEXT://a:9092", "Invalid url"),
        ];
        for (url, what) in wrong {
            let said = parse(&format!("good:1,{url}")).unwrap_err().to_string();
            assert!(said.contains(&format!("{what} in bootstrap.servers: {url}: ")), "{said}");
        }
    }

    #[test]
    fn one_host_that_is_known_is_enough_and_none_is_an_error() {
        let list = |addresses: &[&str]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(resolve(&list(&["nowhere.invalid:9092", "127.0.0.1:9092"])), Ok(()));
        assert_eq!(resolve(&list(&["::1:9092"])), Ok(()));
        let said = resolve(&list(&["nowhere.invalid:9092", "no.where.invalid:1"])).unwrap_err().to_string();
        assert!(said.contains("No resolvable bootstrap urls given in bootstrap.servers"), "{said}");
        assert!(said.contains("nowhere.invalid:9092") && said.contains("no.where.invalid:1"), "{said}");
    }
}
