//! What is known of one URL, and why its last answer was what it was.

use http::{HeaderName, HeaderValue, StatusCode, header};
use pingora::cache::CacheKey;
use pingora::http::RequestHeader;
use terrace_core::Key;
use terrace_pingora::decode_meta;
use terrace_tiers::{Inspection, Seen, Stack};

use super::{Admin, Answer, Asked};
use crate::insight::Insight;
use crate::key::Scheme;
use crate::request::{self, Refusal};
use crate::rules::RuleId;
use crate::{purge, vary};

use view::{Explanation, Last, Slot};

mod text;
mod view;
mod why;

const USAGE: &str = "write /explain?url=URL, for example /explain?url=http%3A%2F%2Fwww.example.com%2Fpage%2F1, \
                     and &header=Name:Value for each header that selects a variant\n";
/// The most headers one question may name.
const MAX_HEADERS: usize = 32;

pub(super) async fn answer(admin: &Admin, asked: &Asked<'_>) -> Answer {
    let Some(insight) = &admin.insight else {
        return Answer::not_found("this program does not show its proxy here\n");
    };
    if !purge::permits(&insight.config().purge, asked.peer, asked.req) {
        let body = "this address may not ask, and there is no valid bearer token\n";
        return Answer::text(StatusCode::FORBIDDEN, body);
    }
    let question = match Question::read(asked.req, insight) {
        Ok(question) => question,
        Err(why) => return Answer::text(StatusCode::BAD_REQUEST, format!("{why}: {USAGE}")),
    };
    let Some(stack) = admin.storage.stack() else {
        let body = "the cache is still starting; try again in a second\n";
        return Answer::text(StatusCode::SERVICE_UNAVAILABLE, body);
    };
    let explanation = question.explain(stack, insight).await;
    if wants_json(asked.req) {
        // Strings, numbers and lists of them can always be written.
        let json = serde_json::to_string_pretty(&explanation).unwrap_or_default();
        return Answer::json(StatusCode::OK, json + "\n");
    }
    Answer::text(StatusCode::OK, text::of(&explanation))
}

fn wants_json(req: &RequestHeader) -> bool {
    let accepted = req.headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|it| it.to_str().ok());
    accepted.any(|it| it.contains("application/json"))
}

/// The request that is asked about.
struct Question {
    url: String,
    scheme: Scheme,
    req: RequestHeader,
    rule: RuleId,
    /// Why such a request passes by the cache, if it does.
    kept_out: Option<&'static str>,
}

impl Question {
    fn read(asked: &RequestHeader, insight: &Insight) -> Result<Self, String> {
        let query = asked.uri.query().unwrap_or_default().as_bytes();
        let (mut url, mut headers) = (None, Vec::new());
        for (name, value) in form_urlencoded::parse(query) {
            match &*name {
                "url" if url.is_none() => url = Some(value.into_owned()),
                "header" if headers.len() < MAX_HEADERS => headers.push(parse_header(&value)?),
                _ => return Err(format!("{name:?} is unknown, or there are too many of it")),
            }
        }
        let url = url.ok_or("which URL?")?;
        let unusable = |_| "the URL cannot be asked for".to_owned();
        let mut req = RequestHeader::build("GET", url.as_bytes(), None).map_err(unusable)?;
        for (name, value) in headers {
            req.append_header(name, value).map_err(unusable)?;
        }
        let config = insight.config();
        // As a request for it would be read.
        let scheme = request::normalise(&mut req, &config.name, &config.upstream);
        let scheme = scheme.map_err(|refusal| match refusal {
            Refusal::Ambiguous(why) => why.to_owned(),
            Refusal::Loop => "it has come round too often".to_owned(),
        })?;
        let scheme = scheme.ok_or("the URL has no scheme and host")?;
        let rules = insight.rules();
        let settled = rules.settle(scheme, &mut req).map_err(unusable)?;
        let kept_out = if settled.is_ambiguous {
            Some("ambiguous-path")
        } else {
            rules.terms(settled.rule).bypass(&req.headers)
        };
        Ok(Self {
            url,
            scheme,
            req,
            rule: settled.rule,
            kept_out,
        })
    }

    async fn explain(&self, stack: &Stack, insight: &Insight) -> Explanation {
        let now = stack.clock().now();
        let rules = insight.rules();
        let mut cache_key = rules.key_by(self.rule, self.scheme, &self.req);
        let primary = terrace_pingora::key(&cache_key);
        let found = stack.inspect(&primary).await;
        let variant = self.select_variant(&found, insight, &mut cache_key);
        let mut slots = vec![Slot::new("primary", &primary, found, now)];
        if let Some(variant) = variant {
            let found = stack.inspect(&variant).await;
            slots.push(Slot::new("variant", &variant, found, now));
        }
        let keys = [variant, Some(primary)];
        let decisions = keys.iter().flatten();
        let last = decisions.filter_map(|key| insight.decisions().last(key));
        let last = last.max_by_key(|decision| decision.at);
        Explanation {
            url: self.url.clone(),
            now: view::time(now),
            rule: rules.terms(self.rule).name.clone(),
            passes_by: self.kept_out,
            slots,
            last: last.map(|last| Last::new(&last, insight.name(), &primary)),
        }
    }

    /// The key this request is looked up under, if the primary slot holds another variant.
    fn select_variant(
        &self,
        found: &Inspection,
        insight: &Insight,
        cache_key: &mut CacheKey,
    ) -> Option<Key> {
        let mut held = found.tiers.iter().filter_map(|tier| match &tier.found {
            Seen::Held(held) => decode_meta(&held.meta, held.expired_at).ok(),
            Seen::Nothing | Seen::NotAsked | Seen::Failed(_) => None,
        });
        let meta = held.next()?;
        let of_vary = vary::variance(meta.headers(), &self.req);
        let rules = insight.rules();
        let selected = rules.variance(self.rule, of_vary, &self.req.headers)?;
        if meta.variance() == Some(selected) {
            return None;
        }
        cache_key.set_variance_key(selected);
        Some(terrace_pingora::key(cache_key))
    }
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || format!("{text:?} is no header: Name:Value");
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = name.trim().parse().map_err(|_| wrong())?;
    let value = value.trim().parse().map_err(|_| wrong())?;
    Ok((name, value))
}
