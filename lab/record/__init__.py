"""The files of run and sweep folders: one class writes and reads each."""
