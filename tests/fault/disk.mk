# Disks that fail. test_disk.py needs a build with --enable-fault-points, and is skipped in others.
fault_tests += \
    tests/fault/test_disk.py \
    tests/fault/test_disk_full.py

# Backups: the points of a build with --enable-fault-points, and a small disk
fault_tests += tests/fault/test_segments.py
