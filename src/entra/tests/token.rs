//! Tokens: one flight, renewal, refusals with what to do, and silence about secrets.

use super::*;

fn page(graph: &Graph) -> Played {
    json(
        200,
        &json!({"value": [], "@odata.deltaLink": graph.link("users/delta?$deltatoken=D")}),
    )
}

/// Gives `token-1`, `token-2` …, each for this many seconds.
async fn giving(seconds: u64) -> Arc<Graph> {
    Graph::start(move |graph, seen, before| {
        if seen.is_token() {
            granted(&format!("token-{}", before + 1), seconds)
        } else {
            page(graph)
        }
    })
    .await
}

async fn read(source: &GraphSource) -> Result<DeltaPage, SourceError> {
    source.page(ObjectKind::User, first(&["mail"])).await
}

#[tokio::test]
async fn a_hundred_callers_share_one_token_request() {
    let graph = giving(3599).await;
    let source = graph.source();
    for page in futures::future::join_all((0..100).map(|_| read(&source))).await {
        page.unwrap();
    }
    assert_eq!((graph.tokens_asked(), graph.asked().len()), (1, 100));
    assert_eq!(source.traffic().requests, 101);
}

#[tokio::test]
async fn the_request_is_a_form_with_the_clouds_scope() {
    let graph = giving(3599).await;
    read(&graph.source()).await.unwrap();
    let asked = &graph.seen(Seen::is_token)[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/11111111-0000-4000-8000-000000000000/oauth2/v2.0/token")
    );
    let form: Vec<(String, String)> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    for (name, value) in [
        ("client_id", "22222222-0000-4000-8000-000000000000"),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_secret", SECRET),
        ("grant_type", "client_credentials"),
    ] {
        assert!(form.contains(&(name.into(), value.into())), "{name}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_or_a_tenth_before_its_end() {
    for (life, fresh, stale) in [(3600, 3299, 3301), (100, 89, 91)] {
        let graph = giving(life).await;
        let source = graph.source();
        read(&source).await.unwrap();
        graph.pass(fresh);
        read(&source).await.unwrap();
        assert_eq!(graph.tokens_asked(), 1, "life {life}");
        graph.pass(stale - fresh);
        read(&source).await.unwrap();
        assert_eq!(graph.tokens_asked(), 2, "life {life}");
        assert_eq!(graph.asked()[2].header("authorization"), Some("Bearer token-2"));
    }
}

#[tokio::test]
async fn a_failing_renewal_hurts_nobody_while_the_token_lives() {
    let graph = Graph::start(|graph, seen, before| match (seen.is_token(), before) {
        (true, 0) => granted("token-1", 3600),
        (true, _) => (503, vec![], String::new()),
        _ => page(graph),
    })
    .await;
    let source = graph.source();
    read(&source).await.unwrap();
    graph.pass(3400);
    read(&source).await.unwrap();
    graph.pass(300);
    assert!(
        matches!(read(&source).await, Err(SourceError::Unavailable { .. })),
        "now it has ended"
    );
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_it_is_the_app() {
    let graph = Graph::start(|graph, seen, before| match seen.header("authorization") {
        None => granted(&format!("token-{}", before + 1), 3600),
        Some("Bearer token-2") => page(graph),
        Some(_) => error(401, "InvalidAuthenticationToken"),
    })
    .await;
    read(&graph.source()).await.unwrap();
    assert_eq!((graph.tokens_asked(), graph.asked().len()), (2, 2));

    let graph = Graph::start(|_, seen, before| {
        if seen.is_token() {
            granted(&format!("tok-{before}"), 3600)
        } else {
            error(401, "InvalidAuthenticationToken")
        }
    })
    .await;
    let refused = read(&graph.source()).await.unwrap_err();
    assert!(
        matches!(&refused, SourceError::Unauthorized { what, .. } if what.contains("InvalidAuthenticationToken"))
    );
    assert_eq!((graph.tokens_asked(), graph.asked().len()), (2, 2));
}

#[tokio::test]
async fn each_refusal_says_its_code_and_what_to_do() {
    for (status, code, advice) in [
        (401, 7_000_222, "has expired: make a new one"),
        (401, 7_000_215, "not its Secret ID"),
        (400, 90_002, "check `tenant_id`"),
        (400, 700_016, "check `client_id`"),
        (400, 500_011, "check `cloud`"),
        (400, 1_234_567, "login.microsoftonline.com/error?code=1234567"),
    ] {
        let graph = Graph::start(move |_, _, _| {
            let text = format!("AADSTS{code}: It is so, and {SECRET} is wrong. Trace ID: 1\r\nCorrelation ID: 2");
            let body = json!({"error": "invalid_client", "error_description": text, "error_codes": [code], "trace_id": "t-9"});
            json(status, &body)
        })
        .await;
        let refused = read(&graph.source()).await.unwrap_err();
        assert!(
            matches!(refused, SourceError::Unauthorized { .. }),
            "{code}: {refused:?}"
        );
        let text = chain(&refused);
        assert!(
            text.contains(&format!("AADSTS{code}")) && text.contains(advice) && text.contains("t-9"),
            "{text}"
        );
        assert!(!text.contains(SECRET), "{text}");
        assert_eq!(graph.tokens_asked(), 1, "a refusal is not asked for twice");
    }
}

#[tokio::test]
async fn trouble_at_the_login_host_is_retried_and_then_unavailable() {
    let graph = Graph::start(|graph, seen, before| match (seen.is_token(), before) {
        (true, 0) => (503, vec![("retry-after", "0.05".into())], "<html>".into()),
        (true, _) => granted("token-1", 3600),
        _ => page(graph),
    })
    .await;
    let source = graph.source();
    read(&source).await.unwrap();
    assert_eq!((source.traffic().retries, source.traffic().throttled), (1, 1));
    for (status, body) in [(404, "<html>not here</html>"), (503, ""), (302, "")] {
        let graph = Graph::start(move |_, _, _| (status, vec![], body.into())).await;
        let error = read(&graph.source()).await.unwrap_err();
        assert!(
            matches!(error, SourceError::Unavailable { .. }),
            "{status}: {error:?}"
        );
    }
    let graph =
        Graph::start(|_, _, _| (200, vec![("content-type", "text/html".into())], "<html>".into())).await;
    let error = read(&graph.source()).await.unwrap_err();
    assert!(
        matches!(&error, SourceError::Malformed { what, .. } if what.contains("HTML")),
        "{error:?}"
    );
}

#[tokio::test]
async fn neither_secret_nor_token_is_ever_shown() {
    let graph = Graph::start(|_, seen, _| {
        if seen.is_token() {
            return granted("very-secret-token", 3600);
        }
        // A hostile or helpful service echoes the credential.
        json(
            400,
            &json!({"error": {"code": "BadRequest", "message": seen.header("authorization")}}),
        )
    })
    .await;
    let source = graph.source();
    let error = read(&source).await.unwrap_err();
    let text = format!("{} {source:?} {:?}", chain(&error), source.client);
    assert!(text.contains("BadRequest") && text.contains("[secret]"), "{text}");
    assert!(
        !text.contains("very-secret-token") && !text.contains(SECRET),
        "{text}"
    );
}

/// A limit of length that falls into an echoed secret leaves no beginning of it.
#[tokio::test]
async fn no_part_of_a_secret_is_left_where_an_echo_is_cut() {
    let (secret, bearer) = (&SECRET[..4], "very-");
    for filler in 200..260 {
        let graph = Graph::start(move |_, seen, _| {
            let filler = "x".repeat(filler);
            if seen.is_token() && filler.len() % 2 == 0 {
                let words = format!("{filler}{SECRET}");
                return json(400, &json!({"error": words, "trace_id": words, "error_description": words}));
            }
            if seen.is_token() {
                return granted("very-secret-token", 3600);
            }
            let words = format!("{filler}very-secret-token");
            let body = json!({"error": {"code": words, "message": words, "innerError": {"code": words.clone() + "2"}}});
            let mut answer = json(400, &body);
            answer.1.push(("request-id", words));
            answer
        })
        .await;
        let source = graph.source();
        let text = chain(&read(&source).await.unwrap_err());
        assert!(text.contains("xxxx"), "{text}");
        assert!(
            !text.contains(secret) && !text.contains(bearer),
            "{filler}: {text}"
        );
    }
}

#[tokio::test]
async fn an_unreachable_host_is_told_soon_with_its_cause() {
    let graph = giving(3600).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let login_url = Some(format!("http://{closed}").parse().unwrap());
    let source = GraphSource::new(GraphOptions {
        login_url,
        ..graph.options()
    })
    .unwrap();
    let error = read(&source).await.unwrap_err();
    assert!(
        chain(&error).contains(&format!("cannot connect to {closed}")),
        "{}",
        chain(&error)
    );
    assert_eq!(source.traffic().requests, 4);
}

#[tokio::test]
async fn check_reads_the_token_and_the_services_clock() {
    let graph = Graph::start(|graph, seen, _| {
        let (mut played, date) = if seen.is_token() {
            (granted("opaque", 3600), "04:10")
        } else {
            (page(graph), "04:00")
        };
        played.1.push(("date", format!("Fri, 02 Jan 2026 03:{date} GMT")));
        played
    })
    .await;
    let source = graph.source();
    assert_eq!(source.clock_skew_seconds(), None);
    assert_eq!(source.token_facts().await.unwrap(), TokenFacts::default());
    assert_eq!(source.clock_skew_seconds(), Some(-5));
    read(&source).await.unwrap();
    assert_eq!((source.clock_skew_seconds(), graph.tokens_asked()), (Some(5), 1));
}
