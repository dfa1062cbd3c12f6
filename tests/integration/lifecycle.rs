//! Reloads, while requests go on, and what the service manager is told.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::support::config::Config;
use super::support::gateway::{Gateway, MANAGER};
use super::support::process::wait_for;
use super::support::raw::{connect, read_head};

fn edit(gateway: &Gateway, from: &str, to: &str) {
    let text = fs::read_to_string(gateway.home.config()).expect("it is ours");
    assert!(text.contains(from));
    fs::write(gateway.home.config(), text.replace(from, to)).expect("it is ours");
}

#[test]
fn a_file_that_is_saved_is_in_force() {
    let own = "include: [more/*.yaml]\n";
    let config = Config::text(&format!("{own}{}", Config::seed().as_str()));
    let gateway = Gateway::start_with(&config, |home| {
        fs::create_dir(home.path().join("more")).expect("it is ours");
    });
    let get = |host: &str| gateway.get("researcher", &format!("http://{host}/")).status;
    assert_eq!(get("api.github.com"), 403);
    edit(&gateway, "- scholar.google.com", "- api.github.com");
    wait_for("the saved policy", || {
        (get("api.github.com") == 200).then_some(())
    });
    // A file that a pattern takes in is part of it from the moment that it is there.
    let more = gateway.home.path().join("more/own.yaml");
    fs::write(
        more,
        "agents: {late: {egress: {allowed_domains: [api.arxiv.org]}}}\n",
    )
    .expect("it is ours");
    wait_for("the new agent", || {
        let reply = gateway.get("late", "http://api.arxiv.org/");
        (reply.status == 200).then_some(())
    });
    // Without a change nothing is read again.
    let applied = || gateway.home.talk().matches("configuration applied").count();
    // It is said after it is in force.
    wait_for("what is said", || (applied() == 2).then_some(()));
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(applied(), 2, "{}", gateway.home.talk());
}

#[test]
fn each_request_is_judged_by_one_policy_and_its_row_names_it() {
    const RELOADS: usize = 12;
    let config = Config::seed().with("agents.researcher.egress.rate_limit", "0");
    let gateway = Gateway::start(&config);
    let is_over = AtomicBool::new(false);
    let asked: usize = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| ask_until(&gateway, &is_over)))
            .collect();
        for round in 0..RELOADS {
            let hosts = ["- scholar.google.com", "- api.github.com"];
            let [from, to] = if round % 2 == 0 {
                hosts
            } else {
                [hosts[1], hosts[0]]
            };
            edit(&gateway, from, to);
            gateway.signal("HUP");
            wait_for("the reload", || {
                let applied = gateway.home.talk().matches("configuration applied").count();
                (applied > round).then_some(())
            });
        }
        is_over.store(true, Ordering::Relaxed);
        let counts = askers.into_iter().map(|asker| asker.join());
        counts.map(|count| count.expect("it asks to the end")).sum()
    });
    let rows = gateway.logs(&[]);
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| row["request"]["host"] == "api.github.com")
        .collect();
    assert_eq!(rows.len(), asked, "each request has its row");
    let mut by_policy: HashMap<&str, HashSet<&str>> = HashMap::new();
    for row in rows {
        let policy = row["policy"]["hash"].as_str().expect("it is named");
        let reason = row["reason"].as_str().expect("it has one");
        by_policy.entry(policy).or_default().insert(reason);
    }
    let reasons: HashSet<Vec<&str>> = by_policy
        .values()
        .map(|reasons| reasons.iter().copied().collect())
        .collect();
    let expected = [vec!["proxy_allowed"], vec!["proxy_blocked_domain"]];
    assert_eq!(reasons, HashSet::from(expected), "{by_policy:?}");
}

/// Asks for the same again and again on one connection; how often.
fn ask_until(gateway: &Gateway, is_over: &AtomicBool) -> usize {
    let mut stream = connect(gateway);
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        let request = "HEAD http://api.github.com/x HTTP/1.1\r\nHost: api.github.com\r\nX-Oktsec-Agent: researcher\r\n\r\n";
        stream
            .write_all(request.as_bytes())
            .expect("the connection stands");
        let head = read_head(&mut stream);
        assert!(
            head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 403"),
            "{head}"
        );
        count += 1;
    }
    count
}

#[test]
fn the_service_manager_hears_of_start_reload_and_stop() {
    let mut manager = None;
    let gateway = Gateway::start_with(&Config::seed(), |home| {
        let socket = UnixDatagram::bind(home.path().join(MANAGER)).expect("it is ours");
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("the time is not zero");
        manager = Some(socket);
    });
    let manager = manager.expect("the home is furnished");
    let hear = || {
        let mut buffer = [0; 1024];
        let count = manager.recv(&mut buffer).expect("something is said");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert_eq!(hear().trim_end(), "READY=1");
    gateway.signal("HUP");
    let reloading = hear();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(hear().trim_end(), "READY=1");
    assert_eq!(gateway.stop().code(), Some(0));
    assert_eq!(hear().trim_end(), "STOPPING=1");
}
