"""An analytic cost model of GPU jobs: seconds and memory from shapes, settings and a data sheet.

Decoding is bound by the largest of weights, FLOPs and KV cache over their peaks; reading and training by FLOPs; the
shares of the peaks that programs reach, and mean lengths, are assumptions (config/hardware.py). Communication between
GPUs is in those shares, not modelled. It says nothing about CPU jobs, and was never compared with a run of this
pipeline on GPUs: where an earlier job of a stage was measured, that counts.
"""
