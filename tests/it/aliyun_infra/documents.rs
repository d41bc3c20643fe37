//! The build script and the README say what the templates say.

use std::collections::BTreeSet;

use super::described::Described;
use super::ros::{TEMPLATE, stack};
use super::{LEAST, infra};

fn read(path: &str) -> String {
    std::fs::read_to_string(infra(path)).expect("text")
}

/// With commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|it| str::from_utf8(it).unwrap()).collect();
    groups.join(",")
}

#[test]
fn the_build_makes_every_zip_that_the_templates_name() {
    let build = read("build");
    let functions = build.lines().find_map(|line| line.strip_prefix("functions=("));
    let functions = functions.and_then(|line| line.strip_suffix(')')).expect("a list");
    let made: BTreeSet<String> =
        functions.split_whitespace().map(|name| format!("{name}.zip")).collect();
    let named = TEMPLATE["Resources"].as_object().unwrap().values();
    let named =
        named.filter_map(|it| it["Properties"]["Code"]["OssObjectName"]["Fn::Sub"].as_str());
    let named = named.map(|path| path.rsplit('/').next().unwrap().to_owned());
    assert_eq!(made, named.collect());
    assert!(build.contains("\nglibc=2.28\n"), "Debian 10 has no newer one");
}

#[test]
fn the_readme_says_what_a_copier_and_the_tutorials_case_cost() {
    let described = Described::from_stack(&stack(LEAST));
    let copier = described.get("ALIYUN::FC3::Function", "ossferry-copier");
    let number = |property: &str| copier[property].as_f64().expect("a number");
    let (cpu, gigabytes) = (number("Cpu"), number("MemorySize") / 1024.0);
    let units_a_second = cpu + 0.15 * gigabytes + 0.05 * number("DiskSize") / 1024.0;
    let yuan = |units: f64| units * 0.00011;
    let terabyte = units_a_second * 1e12 / 25e6;
    let small = units_a_second * 1e6 * 0.1 / 16.0;
    let idle = units_a_second * 2.0 * 288.0 * 7.0;
    let week = 7.0 * 86_400.0;
    let (bytes, rate): (f64, f64) = (500e12, 25e6);
    let busy = (bytes / week / rate).ceil();
    let at_once = TEMPLATE["Parameters"]["CopierConcurrency"]["Default"].as_f64().unwrap();
    let planners = TEMPLATE["Parameters"]["PlannerConcurrency"]["Default"].as_f64().unwrap();
    let whole = |number: f64| grouped(format!("{number:.0}").parse().unwrap());
    let said = [
        format!(
            "= {units_a_second:.1} CU a second, CNY {:.2} an hour",
            yuan(units_a_second * 3600.0)
        ),
        format!("40,000 seconds: {} CU, CNY {:.2}", whole(terabyte), yuan(terabyte)),
        format!("6,250 seconds:\n  {} CU, CNY {:.2}", whole(small), yuan(small)),
        format!("4,032 seconds a day, {} CU, CNY {:.2} a day", whole(idle), yuan(idle)),
        format!("= {:.0} MB/s, {:.1} Gbit/s", bytes / week / 1e6, bytes * 8.0 / week / 1e9),
        format!(
            "| {busy}: `workers = {busy}` in the job file; with {at_once}, as many as `CopierConcurrency` by \
             default, it takes {:.1} days |",
            bytes / rate / at_once / 86_400.0
        ),
        format!(
            "| {:.0} vCPU and {:.0} GB, of 600 vCPU and 1,200 GB",
            (at_once + planners) * cpu,
            (at_once + planners) * gigabytes
        ),
        format!("| {:.0}, of 300 that an account has", at_once + planners),
        format!(
            "| {} copier-seconds × {units_a_second:.1} CU = {} CU: CNY {} |",
            whole(bytes / rate),
            whole(units_a_second * bytes / rate),
            whole(yuan(units_a_second * bytes / rate))
        ),
        format!(
            "| {} vCPU-seconds; the 36 machines stand for {} |",
            whole(cpu * bytes / rate),
            whole(36.0 * 2.0 * week)
        ),
    ];
    let readme = read("README.md");
    for sentence in said {
        assert!(readme.contains(&sentence), "README.md does not say: {sentence}");
    }
}

#[test]
fn the_readme_names_every_parameter_that_has_to_be_thought_about() {
    let readme = read("README.md");
    for (name, parameter) in TEMPLATE["Parameters"].as_object().unwrap() {
        let must = parameter.get("Default").is_none()
            || ["CodeBucket", "CodePath", "Mode", "PublicAccess"].contains(&name.as_str());
        assert!(!must || readme.contains(&format!("`{name}`")), "{name}");
    }
}
