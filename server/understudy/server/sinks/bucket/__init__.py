"""Tells an object store of calls: Amazon's S3, whatever speaks it, Google's, Azure's, or a folder.

`lines` writes a call as JSON under LiteLLM's names, `names` says what things are called on disk
and in the store, `spool` keeps what is not there yet, `uploading` brings it there, `folder` and
`remote` are the stores, `sink` puts them together.
"""
