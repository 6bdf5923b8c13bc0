use saker::folder::{Folder, Unfit};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

#[test]
fn to_a_file_that_only_root_may_read_or_a_device() {
    let place = tempfile::tempdir().expect("a folder for files of the test");
    for (name, target) in [
        ("shadow.wasm", "/etc/shadow"),
        ("relative.wasm", "../../../../../../../../etc/shadow"),
        ("process.wasm", "/proc/self/exe"),
        ("zero.wasm", "/dev/zero"),
        ("itself.wasm", "itself.wasm"),
    ] {
        symlink(target, place.path().join(name)).expect("ours");
    }
    let folder = Folder::open(place.path()).expect("it is ours");
    let names = folder.names().expect("it can be read");
    assert_eq!(names.len(), 5);
    for name in names {
        let read = folder.read(&name, 1 << 20);
        assert!(matches!(read, Err(Unfit::Outside)), "{name:?}: {read:?}");
    }
}

#[test]
fn and_a_folder_that_others_can_write_to_is_not_opened() {
    let place = tempfile::tempdir().expect("a folder for files of the test");
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o1777)).expect("ours");
    let opened = Folder::open(place.path());
    assert!(matches!(opened, Err(Unfit::Writable(_))));
    let opened = Folder::open(Path::new("/etc/hostname"));
    assert!(matches!(opened, Err(Unfit::Closed(_))));
}
