use super::*;
use crate::app::access::tokens::Tokens;
use crate::model::role::Role;

const TOKEN: &[u8] = b"0123456789abcdef0123456789abcdef";

fn access(tokens: Tokens) -> Access {
    Access {
        listen: None,
        hosts: Vec::new(),
        behind_proxy: false,
        tls: None,
        metrics: None,
        tokens,
    }
}

fn with_token() -> (Access, Proof) {
    let holder = Holder {
        name: "ada".to_owned(),
        role: Role::Operator,
    };
    let access = access(Tokens::of(holder, TOKEN));
    let proof = access.proof(TOKEN).unwrap();
    (access, proof)
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_session_ends_when_nobody_uses_it_and_after_a_day_in_any_case() {
    let (access, proof) = with_token();
    let sessions = Sessions::default();
    let idle = sessions.begin_at(proof, HOUR);
    assert!(
        sessions
            .holder_at(&idle, &access, HOUR + IDLE_END - HOUR)
            .is_some()
    );
    assert!(
        sessions
            .holder_at(&idle, &access, HOUR + IDLE_END * 2 - HOUR)
            .is_none()
    );
    assert!(
        sessions.holder_at(&idle, &access, HOUR * 2).is_none(),
        "it is gone"
    );
    let busy = sessions.begin_at(proof, Duration::ZERO);
    for hours in 1..24 {
        assert!(
            sessions.holder_at(&busy, &access, HOUR * hours).is_some(),
            "{hours}"
        );
    }
    assert!(sessions.holder_at(&busy, &access, ABSOLUTE_END).is_none());
}

#[test]
fn a_session_ends_with_its_token_and_by_logout() {
    let (access_then, proof) = with_token();
    let sessions = Sessions::default();
    let id = sessions.begin(proof);
    assert_eq!(sessions.holder(&id, &access_then).unwrap().role, Role::Operator);
    sessions.end(&id);
    assert!(sessions.holder(&id, &access_then).is_none());
    let id = sessions.begin(proof);
    assert!(sessions.holder(&id, &access(Tokens::default())).is_none());
    assert!(
        sessions.holder(&id, &access_then).is_none(),
        "it does not come back"
    );
}

#[test]
fn a_link_logs_in_once_and_a_notice_is_read_once() {
    let (_, proof) = with_token();
    let sessions = Sessions::default();
    let code = sessions.invite(proof);
    assert!(sessions.accept("no such code").is_none());
    assert!(sessions.accept(&code).is_some());
    assert!(sessions.accept(&code).is_none());
    let id = sessions.begin(proof);
    let notice = Notice {
        good: true,
        text: "released".to_owned(),
        advice: None,
    };
    sessions.leave(&id, notice.clone());
    assert_eq!(sessions.take(&id), Some(notice));
    assert_eq!(sessions.take(&id), None);
}

#[test]
fn there_are_so_many_sessions_and_no_more() {
    let (access, proof) = with_token();
    let sessions = Sessions::default();
    let first = sessions.begin_at(proof, Duration::ZERO);
    let second = sessions.begin_at(proof, HOUR);
    for _ in 2..=MOST_SESSIONS {
        let _ = sessions.begin_at(proof, HOUR);
    }
    assert!(sessions.holder_at(&first, &access, HOUR).is_none());
    assert!(sessions.holder_at(&second, &access, HOUR).is_some());
}
