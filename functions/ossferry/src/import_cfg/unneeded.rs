//! Keys of which nothing is made, and why.

use super::cfg::{Became, Cfg};
use super::source::OF_SOURCE;

const BY_PROOF: &str = "every object is proved before it counts as copied; the report says how";
const BY_ITSELF: &str = "the planner splits the listing by itself; limits.slices_max is its bound";
const NO_WORKERS: &str = "there are no workers to log in to";
const FOR_TUNNEL: &str = "goes with isUseExpressTunnel";
const DEFAULT: &str = "is empty or 0: the default holds";

const UNNEEDED: [(&str, &str); 28] = [
    ("lastModify", BY_PROOF),
    ("isAuditAfterImport", BY_PROOF),
    ("auditMode", BY_PROOF),
    ("workerRecordMd5", BY_PROOF),
    ("scanThreadCount", BY_ITSELF),
    ("maxMultiThreadScanDepth", BY_ITSELF),
    (
        "uploadThreadNumPerLargeFile",
        "parts go at once from every kind of source; limits.concurrency_max is their bound",
    ),
    (
        "isAllowSymbolicLink",
        "links to files inside the folder are followed; what else is left out is counted and said",
    ),
    ("getObjectMetaMode", "is for Kodo alone, and only of its speed"),
    ("workingDir", "state.path names the one file that is kept"),
    ("workerUserName", NO_WORKERS),
    ("workerUser", NO_WORKERS),
    ("workerPassword", NO_WORKERS),
    ("privateKeyFile", NO_WORKERS),
    ("sshPort", NO_WORKERS),
    ("dispatcherThreadNum", "there is no dispatcher: a queue hands tasks out"),
    (
        "workerAbortWhenUncatchedException",
        "limits.failures_max stops a pass that fails at too much",
    ),
    ("workerAbortWhenUncaughtException", "limits.failures_max stops a pass that fails at too much"),
    ("javaHeapMaxSize", "there is no Java"),
    ("isUseExpressTunnel", "is off"),
    ("expressTunnelProxyHost", FOR_TUNNEL),
    ("expressTunnelProxyType", FOR_TUNNEL),
    ("expressTunnelProxyUser", FOR_TUNNEL),
    ("expressTunnelProxyDest", FOR_TUNNEL),
    ("expressTunnelAuthToken", FOR_TUNNEL),
    ("expressTunnelProxyPort", FOR_TUNNEL),
    ("isSkipExistFile", "is empty: policy.overwrite is asked for once the target holds something"),
    ("jobType", "is empty: a job copies"),
];

/// Keys that became something above, unless they were empty.
const HELD_A_DEFAULT: [&str; 12] = [
    "jobName",
    "importSince",
    "isServerSideEncryption",
    "destPrefix",
    "isIncremental",
    "incrementalModeInterval",
    "taskObjectCountLimit",
    "taskObjectSizeLimit",
    "workerTaskThreadNum",
    "workerMaxThroughput(KB/s)",
    "multipartUploadThreshold",
    "multipartUploadPartSize",
];

/// Says what is left to be said: last of all.
pub(super) fn rest(cfg: &mut Cfg) {
    for key in cfg.unsaid() {
        let unneeded = UNNEEDED.iter().find(|(known, _)| *known == key).map(|(_, why)| *why);
        if let Some(why) = unneeded {
            cfg.became(&key, Became::NotNeeded, why);
        } else if OF_SOURCE.contains(&key.as_str()) {
            cfg.became(&key, Became::NotNeeded, "is empty, or for another srcType");
        } else if HELD_A_DEFAULT.contains(&key.as_str()) {
            cfg.became(&key, Became::NotNeeded, DEFAULT);
        } else {
            let known = known().find(|known| known.eq_ignore_ascii_case(&key));
            let note = match known {
                Some(known) => format!("ossimport minds capitals: {known}"),
                None => {
                    "is no key of ossimport that is known here; nothing was made of it".to_owned()
                }
            };
            cfg.became(&key, Became::Unknown, note);
        }
    }
}

/// Keys of which something is known.
fn known() -> impl Iterator<Item = &'static str> {
    let ends = ["srcType", "destAccessKey", "destSecretKey", "destDomain", "destBucket"];
    let unneeded = UNNEEDED.iter().map(|(key, _)| *key);
    unneeded.chain(OF_SOURCE).chain(HELD_A_DEFAULT).chain(ends)
}
