//! Targeted fields, such as `CDN-Cache-Control` (RFC 9213): dictionaries of RFC 9651.

use http::HeaderMap;
use http::header::HeaderName;
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};

use super::Control;
use super::seconds::Seconds;

/// What the field `name` says; nothing if it is absent, empty or invalid, or gives a directive that we know a value it
/// cannot have. Then it is as if it were not there (RFC 9213, 2.1).
pub(super) fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Control> {
    if !headers.contains_key(name) {
        return None;
    }
    let lines = headers.get_all(name).iter();
    let lines: Vec<&[u8]> = lines.map(http::HeaderValue::as_bytes).collect();
    let fields: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().ok()?;
    if fields.is_empty() {
        return None;
    }
    let mut control = Control {
        is_targeted: true,
        ..Control::default()
    };
    for (key, value) in &fields {
        take(&mut control, key.as_str(), value)?;
    }
    Some(control)
}

fn take(control: &mut Control, key: &str, value: &ListEntry) -> Option<()> {
    match key {
        "no-store" => control.no_store = flag(value)?,
        "no-cache" => control.no_cache = restricts(control, value)?,
        "private" => control.private = restricts(control, value)?,
        "public" => control.public = flag(value)?,
        "must-revalidate" => control.must_revalidate = flag(value)?,
        "proxy-revalidate" => control.proxy_revalidate = flag(value)?,
        "must-understand" => control.must_understand = flag(value)?,
        "immutable" => control.immutable = flag(value)?,
        "max-age" => control.max_age = Some(seconds(value)?),
        "s-maxage" => control.s_maxage = Some(seconds(value)?),
        "stale-while-revalidate" => control.stale_while_revalidate = Some(seconds(value)?),
        "stale-if-error" => control.stale_if_error = Some(seconds(value)?),
        _ => {}
    }
    Some(())
}

fn flag(value: &ListEntry) -> Option<bool> {
    match value {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::Boolean(flag) => Some(flag),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    }
}

fn seconds(value: &ListEntry) -> Option<Seconds> {
    let ListEntry::Item(item) = value else {
        return None;
    };
    let BareItem::Integer(seconds) = item.bare_item else {
        return None;
    };
    let seconds = u64::try_from(i64::from(seconds)).ok()?;
    let seconds = u32::try_from(seconds).unwrap_or(Seconds::MAX);
    Some(Seconds::Of(seconds.min(Seconds::MAX)))
}

/// Whether `no-cache` or `private` is for the whole response, or for the fields it names only.
fn restricts(control: &mut Control, value: &ListEntry) -> Option<bool> {
    let names = match value {
        ListEntry::InnerList(list) => names(list)?,
        ListEntry::Item(item) => match &item.bare_item {
            BareItem::String(names) => names.as_str().to_owned(),
            _ => return flag(value),
        },
    };
    Some(!control.withholds(Some(names.as_bytes())))
}

fn names(list: &InnerList) -> Option<String> {
    let name = |item: &sfv::Item| match &item.bare_item {
        BareItem::String(name) => Some(name.as_str().to_owned()),
        BareItem::Token(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    let names: Option<Vec<String>> = list.items.iter().map(name).collect();
    Some(names?.join(","))
}
