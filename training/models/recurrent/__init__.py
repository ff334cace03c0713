"""LSTM and GRU layers: their cells, their gradients on CPUs, and their memory."""

from __future__ import annotations

from training.models.recurrent.layers import Layout, Recurrent

__all__ = ["Layout", "Recurrent"]
