//! `urlParse` and `urlJoin`, for absolute URLs and paths as charts have them.

use stagelink_gotemplate::{FunctionError, FunctionTable, GoString, Kind, Map, Value};

/// What these functions give.
type Result<T> = std::result::Result<T, FunctionError>;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("urlJoin", |parts: Map| join(&parts));
    table.add("urlParse", |url: GoString| parse(&url.to_str_lossy()));
}

fn parse(source: &str) -> Result<Value> {
    let fault = |what: &str| format!("unable to parse url: parse {source:?}: {what}");
    if source.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err(fault("net/url: invalid control character in URL").into());
    }
    let (rest, fragment) = source.split_once('#').unwrap_or((source, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, after)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), after),
        Some(("", _)) => return Err(fault("missing protocol scheme").into()),
        Some((first, _)) if !first.contains('/') => {
            return Err(fault("first path segment in URL cannot contain colon").into());
        }
        _ => (String::new(), rest),
    };
    let (mut user, mut host, mut path, mut opaque) = ("", "", rest, "");
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find('/').unwrap_or(after.len());
        let authority = &after[..end];
        path = &after[end..];
        (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    } else if !scheme.is_empty() && !rest.starts_with('/') {
        (opaque, path) = (rest, "");
    }
    let hostname = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let port = host
        .rsplit_once(':')
        .filter(|(name, _)| !name.starts_with('[') || name.ends_with(']'))
        .map_or("", |(_, port)| port);
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault(&format!("invalid port \":{port}\" after host")).into());
    }
    let path = unescape(path).ok_or_else(|| fault("invalid URL escape"))?;
    let fragment = unescape(fragment).ok_or_else(|| fault("invalid URL escape"))?;
    Ok(Value::map([
        ("scheme", Value::from(scheme)),
        ("host", Value::from(host)),
        ("hostname", Value::from(hostname)),
        ("path", Value::string(path)),
        ("query", Value::from(query)),
        ("opaque", Value::from(opaque)),
        ("fragment", Value::string(fragment)),
        ("userinfo", Value::from(user)),
    ]))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push((high * 16 + low) as u8);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// Escapes what may not stand in a path or fragment as it is.
fn escape(text: &str, also: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || b"-_.~$&+,/:;=@".contains(&byte)
            || also.contains(&byte);
        if plain {
            out.push(char::from(byte))
        } else {
            out += &format!("%{byte:02X}")
        }
    }
    out
}

fn join(parts: &Map) -> Result<String> {
    let part = |key: &str| match parts.get(key) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.to_str_lossy().into_owned()),
        Some(other) if other.kind() == Kind::Invalid => {
            Err("runtime error: invalid memory address or nil pointer dereference".into())
        }
        Some(other) => Err(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind().as_str()
        )),
    };
    let (scheme, host, path) = (part("scheme")?, part("host")?, part("path")?);
    let (query, opaque, fragment, user) = (
        part("query")?,
        part("opaque")?,
        part("fragment")?,
        part("userinfo")?,
    );
    let mut url = String::new();
    if !scheme.is_empty() {
        url += &format!("{scheme}:");
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !user.is_empty() {
            if !host.is_empty() || !path.is_empty() || !user.is_empty() {
                url += "//";
            }
            if !user.is_empty() {
                url += &format!("{user}@");
            }
            url += &host;
        }
        let escaped = escape(&path, b"");
        if !escaped.is_empty() && !escaped.starts_with('/') && !host.is_empty() {
            url.push('/');
        }
        url += &escaped;
    } else {
        url += &opaque;
    }
    if !query.is_empty() {
        url += &format!("?{query}");
    }
    if !fragment.is_empty() {
        url += &format!("#{}", escape(&fragment, b"!'()*?"));
    }
    Ok(url)
}
